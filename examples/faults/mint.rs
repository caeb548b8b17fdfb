//! The mint of a scene: the testbed's or Nutshell.

use std::path::Path;

use testbed::harness::{Outcome, fail};
use testbed::{Lightning, MintOptions, Nutshell, TestMint};

use crate::arguments::MintKind;

/// A payment that the mint made.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    pub(crate) payment_hash: String,
    /// Amount and fee in sats; `None` where the mint's books do not have them.
    pub(crate) took_sats: Option<u64>,
}

/// A mint with its books.
#[derive(Debug)]
pub(crate) enum Mint {
    Testbed(Box<TestMint>),
    Nutshell(Nutshell),
}

impl Mint {
    /// Starts one; `options` are for the testbed's.
    pub(crate) async fn start(
        kind: MintKind,
        lightning: &Lightning,
        options: MintOptions,
    ) -> Outcome<Self> {
        match kind {
            MintKind::Testbed => {
                Ok(Self::Testbed(Box::new(TestMint::start(lightning, options).await?)))
            }
            MintKind::Nutshell => {
                let program =
                    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/nutshell/bin/mint");
                Ok(Self::Nutshell(Nutshell::start(&program).await?))
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Testbed(mint) => mint.url(),
            Self::Nutshell(mint) => mint.url(),
        }
    }

    /// The sum that it owes, by its own database.
    pub(crate) fn outstanding(&self) -> Outcome<u64> {
        match self {
            Self::Testbed(mint) => Ok(mint.auditor().outstanding()?),
            Self::Nutshell(mint) => Ok(mint.outstanding()?),
        }
    }

    /// The payments that it made.
    pub(crate) fn paid(&self) -> Outcome<Vec<Paid>> {
        match self {
            Self::Testbed(mint) => {
                let melts = mint.auditor().paid()?.into_iter();
                Ok(melts
                    .map(|melt| Paid {
                        payment_hash: melt.payment_hash,
                        took_sats: Some(melt.amount_sats + melt.fee_sats),
                    })
                    .collect())
            }
            Self::Nutshell(mint) => Ok(mint
                .paid()?
                .into_iter()
                .map(|(payment_hash, _)| Paid { payment_hash, took_sats: None })
                .collect()),
        }
    }

    /// The testbed's mint; an error at any other.
    pub(crate) fn testbed(&self) -> Outcome<&TestMint> {
        match self {
            Self::Testbed(mint) => Ok(mint),
            Self::Nutshell(_) => fail("only the testbed's mint can do that"),
        }
    }
}
