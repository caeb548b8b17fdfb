//! Balances at mints, in sats, from the store's sums. No request, no scan.

use crate::model::mint::MintAddress;
use crate::store::{Balance as Held, RemoteBalance};
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure};

/// Returns the sats spendable at the wallet's mints, without proofs that another program may have
/// handed out.
pub(crate) async fn spendable(core: &Core, setup: &Setup) -> Result<u64, Failure> {
    let held = core.store.balances().await?;
    let ours = held.iter().filter(|one| setup.mints().any(|mint| is_at(one, &mint.address)));
    let foreign = core.store.remote_balances().await?;
    let shared = setup.mints().map(|mint| shared_at(&foreign, &mint.address).0);
    Ok(ours.map(|one| one.unspent).chain(shared).fold(0, u64::saturating_add))
}

/// Returns the sats spendable at one mint, without proofs that another program may have handed out.
pub(crate) async fn spendable_at(core: &Core, mint: &MintAddress) -> Result<u64, Failure> {
    let (held, foreign) = (core.store.balances().await?, core.store.remote_balances().await?);
    let shared = shared_at(&foreign, mint).0;
    Ok(held.iter().find(|one| is_at(one, mint)).map_or(0, |one| one.unspent).saturating_add(shared))
}

/// Returns the sats at these mints that another program may have handed out. They are spent last
/// and are part of no balance.
pub(crate) async fn left_out(
    core: &Core,
    mints: impl Iterator<Item = &MintAddress>,
) -> Result<u64, Failure> {
    let foreign = core.store.remote_balances().await?;
    Ok(mints.map(|mint| left_out_at(&foreign, mint)).fold(0, u64::saturating_add))
}

/// Returns this device's unspent sats at one mint.
pub(crate) async fn unspent_at(core: &Core, mint: &MintAddress) -> Result<u64, Failure> {
    let held = core.store.balances().await?;
    Ok(held.iter().find(|one| is_at(one, mint)).map_or(0, |one| one.unspent))
}

/// Returns the sats at one mint that are spendable or held by open payments.
pub(crate) async fn held_at(core: &Core, mint: &MintAddress) -> Result<u64, Failure> {
    let held = core.store.balances().await?;
    let (shared, claiming) = shared_at(&core.store.remote_balances().await?, mint);
    let ours = held
        .iter()
        .find(|one| is_at(one, mint))
        .map_or(0, |one| one.unspent.saturating_add(one.pending));
    Ok(ours.saturating_add(shared).saturating_add(claiming))
}

/// Refuses an amount that would exceed the owner's cap at a mint.
pub(crate) async fn check_cap(
    core: &Core,
    mint: &MintAddress,
    cap: Option<u64>,
    more: u64,
) -> Result<(), Failure> {
    let Some(cap) = cap else { return Ok(()) };
    let held = held_at(core, mint).await?;
    if held.saturating_add(more) <= cap {
        return Ok(());
    }
    Err(over_cap(cap, held, more))
}

pub(crate) fn is_at(held: &Held, mint: &MintAddress) -> bool {
    held.unit == "sat" && held.mint == mint.as_str()
}

/// Returns other devices' sats at a mint: those that can be adopted, and those being adopted.
pub(crate) fn shared_at(foreign: &[RemoteBalance], mint: &MintAddress) -> (u64, u64) {
    let here = foreign.iter().find(|one| one.unit == "sat" && one.mint == mint.as_str());
    here.map_or((0, 0), |one| (one.unspent, one.adopting))
}

pub(crate) fn left_out_at(foreign: &[RemoteBalance], mint: &MintAddress) -> u64 {
    foreign
        .iter()
        .filter(|one| one.unit == "sat" && one.mint == mint.as_str())
        .map(|one| one.left_out)
        .fold(0, u64::saturating_add)
}

/// Builds the failure for exceeding the owner's cap. `held_sats` is held at the mint or promised.
pub(crate) fn over_cap(cap_sats: u64, held_sats: u64, more_sats: u64) -> Failure {
    Cause::OverCap { cap_sats, held_sats, more_sats }.into()
}
