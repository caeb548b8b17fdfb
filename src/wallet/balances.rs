//! What is held at mints, in sats, as the store has it. No request, no scan.

use super::Wallet;
use super::failure::{Cause, Failure};
use super::rules::Setup;
use crate::model::mint::MintAddress;
use crate::store::{Balance as Held, ForeignBalance};

impl Wallet {
    /// Sats that can be spent at the wallet's mints, without those that another program has perhaps
    /// handed out.
    pub(super) async fn spendable(&self, setup: &Setup) -> Result<u64, Failure> {
        let held = self.store.balances().await?;
        let ours = held.iter().filter(|one| setup.mints().any(|mint| is_at(one, &mint.address)));
        let foreign = self.store.foreign_balances().await?;
        let shared = setup.mints().map(|mint| shared_at(&foreign, &mint.address).0);
        Ok(ours.map(|one| one.unspent).chain(shared).fold(0, u64::saturating_add))
    }

    /// Sats that can be spent at one mint, without those that another program has perhaps handed
    /// out.
    pub(super) async fn spendable_at(&self, mint: &MintAddress) -> Result<u64, Failure> {
        let (held, foreign) = (self.store.balances().await?, self.store.foreign_balances().await?);
        let shared = shared_at(&foreign, mint).0;
        Ok(held
            .iter()
            .find(|one| is_at(one, mint))
            .map_or(0, |one| one.unspent)
            .saturating_add(shared))
    }

    /// Sats at these mints that another program has perhaps handed out: spent when nothing else is
    /// left, and counted nowhere.
    pub(super) async fn left_out(
        &self,
        mints: impl Iterator<Item = &MintAddress>,
    ) -> Result<u64, Failure> {
        let foreign = self.store.foreign_balances().await?;
        Ok(mints.map(|mint| left_out_at(&foreign, mint)).fold(0, u64::saturating_add))
    }

    /// Sats of our own at one mint that can be spent as they are.
    pub(super) async fn unspent_at(&self, mint: &MintAddress) -> Result<u64, Failure> {
        let held = self.store.balances().await?;
        Ok(held.iter().find(|one| is_at(one, mint)).map_or(0, |one| one.unspent))
    }

    /// Sats at one mint that can be spent or are held by open payments.
    pub(super) async fn held_at(&self, mint: &MintAddress) -> Result<u64, Failure> {
        let held = self.store.balances().await?;
        let (shared, claiming) = shared_at(&self.store.foreign_balances().await?, mint);
        let ours = held
            .iter()
            .find(|one| is_at(one, mint))
            .map_or(0, |one| one.unspent.saturating_add(one.pending));
        Ok(ours.saturating_add(shared).saturating_add(claiming))
    }

    /// Refuses what would bring our coins at a mint above the owner's cap.
    pub(super) async fn check_cap(
        &self,
        mint: &MintAddress,
        cap: Option<u64>,
        more: u64,
    ) -> Result<(), Failure> {
        let Some(cap) = cap else { return Ok(()) };
        let held = self.held_at(mint).await?;
        if held.saturating_add(more) <= cap {
            return Ok(());
        }
        Err(over_cap(cap, held, more))
    }
}

pub(super) fn is_at(held: &Held, mint: &MintAddress) -> bool {
    held.unit == "sat" && held.mint == mint.as_str()
}

/// Coins of other devices at a mint, in sats: those that can be claimed, and those being claimed.
pub(super) fn shared_at(foreign: &[ForeignBalance], mint: &MintAddress) -> (u64, u64) {
    let here = foreign.iter().find(|one| one.unit == "sat" && one.mint == mint.as_str());
    here.map_or((0, 0), |one| (one.unspent, one.claiming))
}

pub(super) fn left_out_at(foreign: &[ForeignBalance], mint: &MintAddress) -> u64 {
    foreign
        .iter()
        .filter(|one| one.unit == "sat" && one.mint == mint.as_str())
        .map(|one| one.left_out)
        .fold(0, u64::saturating_add)
}

/// More would come in than the owner allows at a mint. `held` is what is there or promised.
pub(super) fn over_cap(cap_sats: u64, held_sats: u64, more_sats: u64) -> Failure {
    Cause::OverCap { cap_sats, held_sats, more_sats }.into()
}
