//! Pays at a mint that gives no change (NUT-08): a swap makes proofs of exactly what the melt
//! needs, so that at most the mint's fee reserve is overpaid.
//!
//! The swap costs only the mint's input fee, which counts as a fee of the payment.

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

/// Returns the inputs unchanged if they are exact or the mint gives change; otherwise swaps for
/// exact ones. The caller holds the mint's lock.
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
    // Check the policy before the swap costs a fee.
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

/// Returns the value of proofs that leave `need_sats` after their own input fee, and the proofs to
/// make them from. `None`: there are not enough.
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

/// Selects the proofs for a melt, with all fees of spending and preparing them. `None`: there are
/// not enough.
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

/// Ends the swap and returns the exact proofs; all of its proofs belong to this wallet and are
/// unspent.
///
/// # Errors
/// The mint's refusal, or [`Cause::SwapUndecided`] if the outcome is not known yet. Nothing was
/// paid.
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
                // In use elsewhere and perhaps returned later; the next round asks again.
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

/// Resumes and ends a split swap that no payment waits for any more.
pub(crate) async fn settle_split(core: &Core, seen: &Swap) -> Result<(), Failure> {
    let mint = core.mints.at(&seen.mint)?;
    let guard = mint.lock().await;
    let Some(swap) = as_journaled(core, seen).await? else { return Ok(()) };
    let outcome = mint.resume_swap(&swap, &guard).await;
    drop(guard);
    end_split(core, &mint, &swap, outcome).await.map(drop)
}

/// Returns whether the proofs exceed the need by no more than a swap for exact ones would cost.
fn is_exact(coins: &Selection, need_sats: u64) -> bool {
    changes::total_sats(&coins.proofs).saturating_sub(need_sats).saturating_sub(coins.fee)
        <= coins.fee
}
