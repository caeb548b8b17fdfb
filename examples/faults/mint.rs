//! The mint of a scene, whoever wrote it.

use testbed::TestMint;

use crate::Outcome;

/// A payment that the mint made.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    pub(crate) payment_hash: String,
    /// Amount and fee: what it took from the wallet.
    pub(crate) took_sats: u64,
}

/// A mint with its books.
#[derive(Debug)]
pub(crate) enum Mint {
    Testbed(TestMint),
}

impl Mint {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Testbed(mint) => mint.url(),
        }
    }

    /// What it owes, by its own database.
    pub(crate) fn outstanding(&self) -> Outcome<u64> {
        match self {
            Self::Testbed(mint) => Ok(mint.auditor().outstanding()?),
        }
    }

    /// The payments that it made.
    pub(crate) fn paid(&self) -> Outcome<Vec<Paid>> {
        match self {
            Self::Testbed(mint) => {
                let melts = mint.auditor().melts()?.into_iter().filter(|melt| melt.state == "PAID");
                Ok(melts.map(|melt| Paid { payment_hash: melt.payment_hash, took_sats: melt.amount_sats + melt.fee_sats }).collect())
            }
        }
    }

    /// The testbed's mint; an error at any other.
    pub(crate) fn testbed(&self) -> Outcome<&TestMint> {
        match self {
            Self::Testbed(mint) => Ok(mint),
        }
    }
}
