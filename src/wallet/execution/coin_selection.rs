//! Selects the proofs to spend, under the mint's lock.
//!
//! Proofs held by other melts of this process usually come back as change within moments. A payment
//! that lacks only those waits for them, so that parallel payments do not fail for want of small
//! proofs.

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

/// How long a payment waits for a melt permit, or for proofs that other payments hold.
const LONGEST: Duration = Duration::from_secs(40);

/// Extra amount to adopt from other devices, in sats: covers the fees of the proofs made.
const CLAIMED_BEYOND: u64 = 8;

/// Coins to spend.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) coins: Selection,
    /// Fee for spending these proofs and for having made them exact, in sats.
    pub(crate) fee_sats: u64,
    /// `true` if they total exactly the amount, so that they can become a token without a swap.
    pub(crate) exact: bool,
    /// Part of the fee already spent on making them exact, in sats.
    pub(crate) prepared_sats: u64,
}

/// Waits for a permit to send a melt, before the mint's lock is taken, so that slow Lightning
/// payments block nothing else. `None` if the payment is not a melt.
pub(crate) async fn take_place(planned: &Planned) -> Result<Option<MeltPermit>, Failure> {
    if !matches!(planned.execution, Execution::Melt(_)) {
        return Ok(None);
    }
    let place = timeout_at(Instant::now() + LONGEST, planned.mint.melt_permit()).await;
    Ok(Some(place.map_err(|_| Cause::Late(Late::Place))??))
}

/// Takes the mint's lock and selects proofs. The proofs are not reserved yet: the caller reserves
/// them before it drops the guard.
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
            // Other devices' proofs come second; they are adopted before they are spent.
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
    // Proofs shown on relays never become a token unswapped: another device of this wallet could
    // take them back.
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

/// Returns the most that the inputs should cost, in sats.
pub(super) async fn fee_at_most(core: &Core, planned: &Planned) -> Result<u64, Failure> {
    let reserve = planned.fee_reserve_sats();
    let accepted = planned.max_fee_sats.map_or(u64::MAX, |most| most.saturating_sub(reserve));
    Ok(tolerated_sats(&core.setup().await?, &planned.draft.agent).min(accepted))
}

/// Adopts proofs of other devices to cover what the payment lacks. Returns whether any were
/// adopted.
async fn adopt_for(core: &Core, planned: &Planned, guard: &MintGuard) -> Result<bool, Failure> {
    if core.nostr.is_none() {
        return Ok(false);
    }
    let mint = planned.mint.address();
    let own = unspent_at(core, mint).await?;
    let lacking = planned.need_sats().saturating_sub(own).saturating_add(CLAIMED_BEYOND);
    adopt(core, &planned.mint, lacking, guard).await
}

/// Returns whether another payment of this process may give proofs back.
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

/// Returns the input fee that the owner's fee ceiling tolerates beyond the fee reserve, in sats.
pub(crate) fn tolerated_sats(setup: &Setup, agent: &str) -> u64 {
    setup.policy.limits_for(agent).max_fee_floor_sats
}

pub(crate) fn funds(need_sats: u64, held_sats: u64, left_out_sats: u64) -> Failure {
    Cause::Funds { need_sats, held_sats, left_out_sats }.into()
}
