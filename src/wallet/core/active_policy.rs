//! The owner's rules as they stand, and what they make of the wallet: which mints it uses and what
//! its money is.

use std::fmt::Debug;

use crate::model::mint::{MintAddress, MoneyKind, TrustedMint};
use crate::policy::Policy;
use crate::wallet::core::failure::{Cause, Failure};

/// Where the rules come from. Implemented over the settings files.
pub trait Rules: Send + Sync + Debug {
    /// The rules now. Called before every admission, so it is quick and never waits for the
    /// network.
    ///
    /// # Errors
    /// [`Cause::Settings`].
    fn current(&self) -> Result<Policy, Failure>;

    /// The policy as the owner wrote it, in its canonical text: once at start, and once after each
    /// change.
    fn take_written(&self) -> Option<String>;
}

/// A policy that never changes: for benches and tests.
impl Rules for Policy {
    fn current(&self) -> Result<Policy, Failure> {
        Ok(self.clone())
    }

    fn take_written(&self) -> Option<String> {
        None
    }
}

/// The rules, and what they make of this wallet.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    pub(crate) money: MoneyKind,
}

impl Setup {
    /// The mints that the wallet uses: those of its kind of money.
    pub(crate) fn mints(&self) -> impl Iterator<Item = &TrustedMint> {
        let real = self.money == MoneyKind::Real;
        self.policy.mints.iter().filter(move |mint| mint.test != real)
    }

    /// The usable mint of this address.
    pub(crate) fn mint(&self, address: &MintAddress) -> Option<&TrustedMint> {
        self.mints().find(|mint| mint.address == *address)
    }

    /// The usable mint that a caller named.
    pub(crate) fn usable(&self, address: &MintAddress) -> Result<&TrustedMint, Failure> {
        self.mint(address).ok_or_else(|| Failure::new(Cause::NotTrusted).at(address))
    }
}

/// The mint to use where the caller named none.
pub(crate) fn first_mint(setup: &Setup) -> Result<&TrustedMint, Failure> {
    setup.mints().next().ok_or_else(|| Cause::NoMint.into())
}
