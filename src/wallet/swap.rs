//! One swap, whole: planned, journaled, made, and made once more where the mint's keyset or its fee
//! has changed.

use super::failure::Failure;
use super::journal::journaled;
use super::restore::Which;
use super::{Wallet, coins};
use crate::mint::error::{MintError, nut};
use crate::mint::operation::Operation;
use crate::mint::swap::{Swap, SwapOutcome, Want};
use crate::mint::{Coins, Mint, Turn};
use crate::store::Change;

impl Wallet {
    /// Swaps `inputs`. `beside` is what has to be written together with the journal's row, before
    /// the request leaves; an error means that nothing left and nothing was written.
    pub(super) async fn swap(
        &self,
        mint: &Mint,
        inputs: Coins,
        want: Want,
        beside: impl Fn(&Swap) -> Result<Vec<Change>, Failure>,
        turn: &Turn,
    ) -> Result<(Swap, SwapOutcome), Failure> {
        let mut swap = mint.plan_swap(inputs.clone(), want.clone(), turn).await?;
        self.journal(&swap, beside(&swap)?).await?;
        let mut outcome = mint.post_swap(&swap, turn).await;
        if matches!(&outcome, SwapOutcome::Refused(error) if is_out_of_date(error))
            && mint.refresh().await.is_ok()
            && let Ok(again) = mint.plan_swap(inputs, want, turn).await
            && again.fee_sats() <= swap.fee_sats()
        {
            let counters = swap.counters();
            swap = again.instead_of(&swap);
            self.journal(&swap, vec![Change::FreeCounters(counters)]).await?;
            outcome = mint.post_swap(&swap, turn).await;
        }
        if matches!(
            &outcome,
            SwapOutcome::Unknown(
                MintError::UnderWay { .. }
                    | MintError::Unexplained { .. }
                    | MintError::Refused { .. }
            )
        ) {
            outcome = mint.resume_swap(&swap, turn).await;
        }
        if matches!(&outcome, SwapOutcome::Refused(error) if error.code() == Some(nut::OUTPUTS_SIGNED))
        {
            self.leave_used_counters();
        }
        Ok((swap, outcome))
    }

    /// Another home of the same words has used our counters: the mints tell which are free, in the
    /// background, for the next attempt.
    pub(super) fn leave_used_counters(&self) {
        let wallet = self.clone();
        self.running.spawn(async move {
            if let Err(error) = wallet.recheck(Which::All, |_| ()).await {
                tracing::warn!(
                    %error,
                    "the mints were not asked which counters are used"
                );
            }
        });
    }

    async fn journal(&self, swap: &Swap, mut beside: Vec<Change>) -> Result<(), Failure> {
        beside.extend([
            Change::UseCounters(swap.counters()),
            journaled(&Operation::Swap(swap.clone()))?,
        ]);
        Ok(self.store.commit(beside).await?)
    }
}

/// The mint's keyset, or its fee, is not what it was.
fn is_out_of_date(error: &MintError) -> bool {
    matches!(error.code(), Some(nut::KEYSET_INACTIVE | nut::UNBALANCED))
}

/// The changes that end a swap which the mint refused: its row is removed, and its counters may be
/// used again, unless the mint refused because it has signed for them before.
pub(super) fn refused(swap: &Swap, error: &MintError) -> Vec<Change> {
    let mut changes = vec![Change::EndOperation(swap.id)];
    if error.code() != Some(nut::OUTPUTS_SIGNED) {
        changes.push(Change::FreeCounters(swap.counters()));
    }
    changes
}

/// The same, and its inputs, if they were ours, are free again.
pub(super) fn unswapped(swap: &Swap, error: &MintError) -> Result<Vec<Change>, Failure> {
    let mut changes = vec![coins::unreserve(swap.input_ys()?)];
    changes.extend(refused(swap, error));
    Ok(changes)
}
