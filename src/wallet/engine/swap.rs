//! Makes one swap: planned, journaled, sent, and retried once if the mint's keyset or fee has
//! changed.

use crate::mint::error::{MintError, nut};
use crate::mint::operation::Operation;
use crate::mint::swap::{Swap, SwapOutcome, SwapSpec};
use crate::mint::{Mint, MintGuard, Proofs};
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::engine::journal::journaled;
use crate::wallet::engine::recheck::{Which, recheck};
use crate::wallet::proofs::changes;

/// Swaps `inputs`. The changes of `beside` are committed with the journal's row before the request
/// is sent. On an error nothing was swapped.
pub(crate) async fn swap(
    core: &Core,
    mint: &Mint,
    inputs: Proofs,
    want: SwapSpec,
    beside: impl Fn(&Swap) -> Result<Vec<Change>, Failure>,
    guard: &MintGuard,
) -> Result<(Swap, SwapOutcome), Failure> {
    let mut swap = mint.plan_swap(inputs.clone(), want.clone(), guard).await?;
    journal(core, &swap, beside(&swap)?).await?;
    let mut outcome = mint.post_swap(&swap, guard).await;
    if matches!(&outcome, SwapOutcome::Refused(error) if is_out_of_date(error))
        && mint.refresh().await.is_ok()
        && let Ok(again) = mint.plan_swap(inputs, want, guard).await
        && again.fee_sats() <= swap.fee_sats()
    {
        let counters = swap.counters();
        swap = again.instead_of(&swap);
        journal(core, &swap, vec![Change::FreeCounters(counters)]).await?;
        outcome = mint.post_swap(&swap, guard).await;
    }
    if matches!(
        &outcome,
        SwapOutcome::Unknown(
            MintError::UnderWay { .. } | MintError::Unexplained { .. } | MintError::Refused { .. }
        )
    ) {
        outcome = mint.resume_swap(&swap, guard).await;
    }
    if matches!(&outcome, SwapOutcome::Refused(error) if error.code() == Some(nut::OUTPUTS_SIGNED))
    {
        leave_used_counters(core);
    }
    Ok((swap, outcome))
}

/// Asks the mints in the background which counters are free, for the next attempt: another folder
/// with the same mnemonic has used ours.
pub(crate) fn leave_used_counters(core: &Core) {
    let owned = core.clone();
    core.running.spawn(async move {
        if let Err(error) = recheck(&owned, Which::All, |_| ()).await {
            tracing::warn!(
                %error,
                "could not check which counters are used"
            );
        }
    });
}

async fn journal(core: &Core, swap: &Swap, mut beside: Vec<Change>) -> Result<(), Failure> {
    beside
        .extend([Change::UseCounters(swap.counters()), journaled(&Operation::Swap(swap.clone()))?]);
    Ok(core.store.commit(beside).await?)
}

/// Returns whether the mint's keyset or fee has changed.
fn is_out_of_date(error: &MintError) -> bool {
    matches!(error.code(), Some(nut::KEYSET_INACTIVE | nut::UNBALANCED))
}

/// Returns the changes that end a refused swap: its row is removed and its counters are free again,
/// unless the mint has signed for them before.
pub(crate) fn refused(swap: &Swap, error: &MintError) -> Vec<Change> {
    let mut changes = vec![Change::EndOperation(swap.id)];
    if error.code() != Some(nut::OUTPUTS_SIGNED) {
        changes.push(Change::FreeCounters(swap.counters()));
    }
    changes
}

/// Returns the changes of [`refused`], and those that free its inputs.
pub(crate) fn unswapped(swap: &Swap, error: &MintError) -> Result<Vec<Change>, Failure> {
    let mut changes = vec![changes::unreserve(swap.input_ys()?)];
    changes.extend(refused(swap, error));
    Ok(changes)
}
