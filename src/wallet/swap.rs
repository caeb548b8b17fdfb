//! One swap, whole: planned, journaled, made, and made once more where the mint's keyset has gone out of use.

use super::Wallet;
use super::error::Error;
use super::restore::Which;
use crate::mint::error::{MintError, nut};
use crate::mint::swap::{Swap, SwapOutcome, Want};
use crate::mint::{Coins, Mint, Turn};
use crate::store::{Change, SwapRow};

impl Wallet {
    /// Swaps `inputs`. `beside` is what has to be written together with the journal's row, before the request leaves; an error means that
    /// nothing left and nothing was written.
    pub(super) async fn swap(
        &self,
        mint: &Mint,
        inputs: Coins,
        want: Want,
        beside: impl Fn(&Swap) -> Result<Vec<Change>, Error>,
        turn: &Turn,
    ) -> Result<(Swap, SwapOutcome), Error> {
        let swap = mint.plan_swap(inputs.clone(), want.clone(), turn).await?;
        self.journal(&swap, beside(&swap)?).await?;
        let mut outcome = mint.post_swap(&swap, turn).await;
        if matches!(&outcome, SwapOutcome::Refused(error) if error.code() == Some(nut::KEYSET_INACTIVE)) && mint.refresh().await.is_ok() {
            let again = mint.plan_swap(inputs, want, turn).await?.instead_of(&swap);
            self.journal(&again, Vec::new()).await?;
            outcome = mint.post_swap(&again, turn).await;
            return Ok((again, outcome));
        }
        if matches!(&outcome, SwapOutcome::Unknown(MintError::UnderWay { .. } | MintError::Unexplained { .. } | MintError::Refused { .. }))
        {
            outcome = mint.resume_swap(&swap, turn).await;
        }
        if matches!(&outcome, SwapOutcome::Refused(error) if error.code() == Some(nut::OUTPUTS_SIGNED)) {
            self.leave_used_counters();
        }
        Ok((swap, outcome))
    }

    /// Another home of the same words has used our counters: the mints tell which are free, in the background, for the next attempt.
    fn leave_used_counters(&self) {
        let wallet = self.clone();
        self.running.spawn(async move {
            if let Err(error) = wallet.recheck(Which::All, |_| ()).await {
                tracing::warn!(code = error.code.as_str(), "the mints were not asked which counters are used");
            }
        });
    }

    async fn journal(&self, swap: &Swap, mut beside: Vec<Change>) -> Result<(), Error> {
        beside.push(Change::Swap(SwapRow { id: swap.id, body: swap.to_row()? }));
        Ok(self.store.commit(beside).await?)
    }
}
