//! Paying at a mint that gives no change (NUT-08): a swap of our own makes coins of exactly what
//! the melt needs, so that nothing is overpaid beyond the mint's reserve for the route.
//!
//! Nothing leaves the wallet by it but the mint's fee for the coins, which counts among the
//! payment's.

use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose, SwapSpec};
use crate::mint::{Mint, MintGuard};
use crate::model::money::Unit;
use crate::store::{Need, Selection};
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::engine::dispute::keep_disputed;
use crate::wallet::engine::journal::as_journaled;
use crate::wallet::engine::swap;
use crate::wallet::execution::coin_selection::{Inputs, fee_at_most, too_little};
use crate::wallet::execution::judge::would_admit;
use crate::wallet::execution::planned::{Execution, Planned};
use crate::wallet::proofs::changes;

/// The inputs as they are, where the mint gives change or they are exact; else coins made of
/// them that are. The caller holds the mint's lock.
pub(super) async fn make_exact(
    core: &Core,
    planned: &Planned,
    inputs: Inputs,
    guard: &MintGuard,
) -> Result<Inputs, Failure> {
    let (need, mint) = (planned.need_sats(), &planned.mint);
    if !matches!(planned.execution, Execution::Melt(_))
        || is_exact(&inputs.coins, need)
        || mint.gives_change().await?
    {
        return Ok(inputs);
    }
    let Some((give_sats, from)) =
        split_from(core, mint, need, fee_at_most(core, planned).await?).await?
    else {
        return Err(too_little(core, planned).await);
    };
    // What would be refused afterwards is refused before anything is swapped for it.
    would_admit(core, planned, from.fee.saturating_add(give_sats.saturating_sub(need))).await?;
    let want = SwapSpec { purpose: SwapPurpose::Split, give_sats, lock_to: None, memo: None };
    let reserve = |swap: &Swap| Ok(vec![changes::reserve(swap.input_ys()?, swap.id)]);
    let (swap, outcome) =
        swap::swap(core, mint, changes::proofs(from.proofs), want, reserve, guard).await?;
    let prepared_sats = swap.fee_sats();
    let proofs = end_split(core, mint, &swap, outcome).await?;
    let fee = mint.input_fee(&changes::proofs(proofs.clone())).await?;
    Ok(Inputs {
        coins: Selection { proofs, fee },
        fee_sats: fee.saturating_add(prepared_sats),
        exact: false,
        prepared_sats,
    })
}

/// What coins that leave `need_sats` after their own fee must be worth, and the coins to make
/// them of; `None`: there are not enough.
async fn split_from(
    core: &Core,
    mint: &Mint,
    need_sats: u64,
    fee_at_most: u64,
) -> Result<Option<(u64, Selection)>, Failure> {
    let give_sats = mint.amount_with_fee(need_sats).await?;
    let need = Need::Spend { amount: give_sats, fee_at_most };
    let from = core
        .store
        .select_inputs(mint.address(), &Unit::sat(), need, mint.fees_ppk().await?)
        .await?;
    Ok(from.map(|from| (give_sats, from)))
}

/// The coins that a melt would be paid from, with all that the mint takes for them; `None`:
/// there are not enough.
pub(crate) async fn coins_for_melt(
    core: &Core,
    mint: &Mint,
    need_sats: u64,
    fee_at_most: u64,
) -> Result<Option<Selection>, Failure> {
    let need = Need::Spend { amount: need_sats, fee_at_most };
    let coins = core
        .store
        .select_inputs(mint.address(), &Unit::sat(), need, mint.fees_ppk().await?)
        .await?;
    if coins.as_ref().is_none_or(|coins| is_exact(coins, need_sats)) || mint.gives_change().await? {
        return Ok(coins);
    }
    let from = split_from(core, mint, need_sats, fee_at_most).await?;
    let fees =
        |sats: u64, from: &Selection| sats.saturating_sub(need_sats).saturating_add(from.fee);
    Ok(from.map(|(sats, from)| Selection { fee: fees(sats, &from), ..from }))
}

/// What the swap came to. Answers the coins that are exact; all of them are ours, and free.
///
/// # Errors
/// As the mint says; [`Cause::SwapUndecided`] where that is not known yet. Nothing was paid.
async fn end_split(
    core: &Core,
    mint: &Mint,
    swap: &Swap,
    outcome: SwapOutcome,
) -> Result<Vec<changes::Coin>, Failure> {
    let (changes, ended) = match outcome {
        SwapOutcome::Done { give, keep } => {
            let give: Vec<changes::Coin> = give.into_iter().map(changes::freed).collect();
            (changes::swapped(swap, [give.clone(), keep].concat())?, Ok(give))
        }
        SwapOutcome::Refused(error) => (swap::unswapped(swap, &error)?, Err(error.into())),
        SwapOutcome::SpentElsewhere => {
            let held = core.store.proofs(swap.input_ys()?).await?;
            let (free, spent) = changes::by_word(&held, &mint.states(changes::ys(&held)).await?);
            if free.len().saturating_add(spent.len()) < held.len() {
                // In use elsewhere, and perhaps given back: a later round asks again.
                return Err(Cause::SwapUndecided.into());
            }
            let mut changes = vec![changes::free(free), changes::spent(spent)];
            changes.extend(keep_disputed(core, swap)?);
            (changes, Err(Cause::SpentElsewhere { token: false }.into()))
        }
        SwapOutcome::Unknown(_) => {
            core.wake();
            return Err(Cause::SwapUndecided.into());
        }
    };
    core.store.commit(changes).await?;
    core.changed();
    ended
}

/// Ends such a swap of which nobody waits for the outcome any more.
pub(crate) async fn settle_split(core: &Core, seen: &Swap) -> Result<(), Failure> {
    let mint = core.mints.at(&seen.mint)?;
    let guard = mint.lock().await;
    let Some(swap) = as_journaled(core, seen).await? else { return Ok(()) };
    let outcome = mint.resume_swap(&swap, &guard).await;
    drop(guard);
    end_split(core, &mint, &swap, outcome).await.map(drop)
}

/// The coins are worth what is needed, or exceed it by no more than a swap into exact coins would
/// cost.
fn is_exact(coins: &Selection, need_sats: u64) -> bool {
    changes::total_sats(&coins.proofs).saturating_sub(need_sats).saturating_sub(coins.fee)
        <= coins.fee
}
