//! Choosing the coins to spend, with the lock of the mint held.
//!
//! Coins that other melts of this process hold come back as change within moments: a payment that
//! lacks only those waits for them, so that payments in parallel do not fail for want of small
//! coins.

use tokio::time::{Duration, Instant, timeout_at};

use crate::mint::{MeltPermit, MintGuard};
use crate::model::money::Unit;
use crate::store::{Need, Selection};
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure, Late};
use crate::wallet::core::in_flight::{Awaits, Gone};
use crate::wallet::execution::exact::make_exact;
use crate::wallet::execution::planned::{Execution, Planned};
use crate::wallet::proofs::balances::{left_out, spendable_at, unspent_at};
use crate::wallet::sync::adopt::adopt;

/// The longest a payment waits for coins that others hold.
const LONGEST: Duration = Duration::from_secs(40);

/// What is adopted of other devices' coins beyond what is missing, in sats: fees of the coins that
/// are made.
const CLAIMED_BEYOND: u64 = 8;

/// Coins to spend.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) coins: Selection,
    /// What the mint takes for spending them and for having made them exact, in sats.
    pub(crate) fee_sats: u64,
    /// They are exactly the amount: a token can be made of them as they are.
    pub(crate) exact: bool,
    /// The part of the fee that was spent on making them exact, in sats.
    pub(crate) prepared_sats: u64,
}

/// Waits for a place among the melts under way at the mint, before the mint's lock: Lightning holds
/// up no other money. `None` for what is no melt.
pub(crate) async fn take_place(planned: &Planned) -> Result<Option<MeltPermit>, Failure> {
    if !matches!(planned.execution, Execution::Melt(_)) {
        return Ok(None);
    }
    let place = timeout_at(Instant::now() + LONGEST, planned.mint.melt_permit()).await;
    Ok(Some(place.map_err(|_| Cause::Late(Late::Place))??))
}

/// Takes the mint's lock and chooses. Nothing is reserved yet: the caller reserves before it gives
/// the lock back.
pub(crate) async fn take_inputs(
    core: &Core,
    planned: &Planned,
    gone: &Gone,
) -> Result<(MintGuard, Inputs), Failure> {
    let until = Instant::now() + LONGEST;
    let mut changes = core.notices.subscribe();
    loop {
        changes.mark_unchanged();
        gone.awaits(Awaits::Mint);
        let guard = planned.mint.lock().await;
        let chosen = match choose(core, planned).await? {
            Some(inputs) => Some(inputs),
            // Another device's coins: our own first, then these, made ours.
            None if adopt_for(core, planned, &guard).await? => choose(core, planned).await?,
            None => None,
        };
        if let Some(inputs) = chosen {
            let inputs = make_exact(core, planned, inputs, &guard).await?;
            return Ok((guard, inputs));
        }
        drop(guard);
        if gone.is_gone() || !others_hold_coins(core, planned) {
            return Err(too_little(core, planned).await);
        }
        gone.awaits(Awaits::Coins);
        if timeout_at(until, changes.changed()).await.is_err() {
            return Err(too_little(core, planned).await);
        }
    }
}

async fn choose(core: &Core, planned: &Planned) -> Result<Option<Inputs>, Failure> {
    let fees = planned.mint.fees_ppk().await?;
    let mint = planned.mint.address();
    let amount = planned.draft.amount_sats;
    // Coins that relays show are never handed out as they are: another device of this wallet
    // would take them back.
    let relayed = core.store.outbox_begun().await?;
    if let Execution::Token { lock_to: None, .. } = planned.execution
        && !relayed
    {
        let exact = core
            .store
            .select_inputs(mint, &Unit::sat(), Need::Exact { amount }, fees.clone())
            .await?;
        if let Some(coins) = exact {
            return Ok(Some(Inputs { coins, fee_sats: 0, exact: true, prepared_sats: 0 }));
        }
    }
    let need =
        Need::Spend { amount: planned.need_sats(), fee_at_most: fee_at_most(core, planned).await? };
    let coins = core.store.select_inputs(mint, &Unit::sat(), need, fees).await?;
    Ok(coins.map(|coins| Inputs { fee_sats: coins.fee, coins, exact: false, prepared_sats: 0 }))
}

/// The most that the plan's inputs should cost, in sats.
pub(super) async fn fee_at_most(core: &Core, planned: &Planned) -> Result<u64, Failure> {
    let reserve = planned.fee_reserve_sats();
    let accepted = planned.max_fee_sats.map_or(u64::MAX, |most| most.saturating_sub(reserve));
    Ok(tolerated_sats(&core.setup().await?, &planned.draft.agent).min(accepted))
}

/// Adopts what this plan lacks, of coins that other devices left on relays. Whether anything was
/// adopted.
async fn adopt_for(core: &Core, planned: &Planned, guard: &MintGuard) -> Result<bool, Failure> {
    if core.nostr.is_none() {
        return Ok(false);
    }
    let mint = planned.mint.address();
    let own = unspent_at(core, mint).await?;
    // Beyond what is missing: the fees of the swap and of the coins it makes.
    let lacking = planned.need_sats().saturating_sub(own).saturating_add(CLAIMED_BEYOND);
    adopt(core, &planned.mint, lacking, guard).await
}

/// Another operation of this process at the same mint may give coins back.
fn others_hold_coins(core: &Core, planned: &Planned) -> bool {
    core.live().keys().any(|id| *id != planned.draft.id)
}

pub(super) async fn too_little(core: &Core, planned: &Planned) -> Failure {
    let mint = planned.mint.address();
    let (held, left_out) = (
        spendable_at(core, mint).await.unwrap_or(0),
        left_out(core, [mint].into_iter()).await.unwrap_or(0),
    );
    funds(planned.need_sats(), held, left_out).at(mint)
}

/// What the owner's ceiling tolerates of inputs' fees beside the reserve for the route, in sats.
pub(crate) fn tolerated_sats(setup: &Setup, agent: &str) -> u64 {
    setup.policy.limits_for(agent).max_fee_floor_sats
}

/// Too little is held.
pub(crate) fn funds(need_sats: u64, held_sats: u64, left_out_sats: u64) -> Failure {
    Cause::Funds { need_sats, held_sats, left_out_sats }.into()
}
