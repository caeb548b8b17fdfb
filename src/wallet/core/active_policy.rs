//! The owner's current rules, and the mints that the wallet uses under them.

use std::fmt::Debug;

use crate::model::mint::{MintAddress, MoneyKind, TrustedMint};
use crate::policy::Policy;
use crate::wallet::core::failure::{Cause, Failure};

/// Source of the owner's rules; implemented over the settings files.
pub trait Rules: Send + Sync + Debug {
    /// Returns the current rules. Called before every admission: must be quick and offline.
    ///
    /// # Errors
    /// [`Cause::Settings`].
    fn current(&self) -> Result<Policy, Failure>;

    /// Returns the policy's canonical text at start and once after each change; else `None`.
    fn take_written(&self) -> Option<String>;
}

/// A policy that never changes, for benches and tests.
impl Rules for Policy {
    fn current(&self) -> Result<Policy, Failure> {
        Ok(self.clone())
    }

    fn take_written(&self) -> Option<String> {
        None
    }
}

/// The owner's rules, with the wallet's kind of money.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    pub(crate) money: MoneyKind,
}

impl Setup {
    /// Returns the mints the wallet uses: those of its own kind of money.
    pub(crate) fn mints(&self) -> impl Iterator<Item = &TrustedMint> {
        let real = self.money == MoneyKind::Real;
        self.policy.mints.iter().filter(move |mint| mint.test != real)
    }

    /// Finds a usable mint by address.
    pub(crate) fn mint(&self, address: &MintAddress) -> Option<&TrustedMint> {
        self.mints().find(|mint| mint.address == *address)
    }

    /// Returns a usable mint by address, or fails with [`Cause::NotTrusted`].
    pub(crate) fn usable(&self, address: &MintAddress) -> Result<&TrustedMint, Failure> {
        self.mint(address).ok_or_else(|| Failure::new(Cause::NotTrusted).at(address))
    }
}

/// Returns the first usable mint, for callers that named none.
pub(crate) fn first_mint(setup: &Setup) -> Result<&TrustedMint, Failure> {
    setup.mints().next().ok_or_else(|| Cause::NoMint.into())
}
