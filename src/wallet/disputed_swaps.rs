//! Asks about swaps that their mint said cannot have been made. A swap of which a counter is in use
//! again is given up: what its mint shows then is of the other operation.
//!
//! Never makes a request that could spend anything.

use super::dispute::KEPT_SECONDS;
use super::failure::Failure;
use super::{Wallet, coins};
use crate::mint::operation::Operation;
use crate::mint::swap::{Purpose, Swap, SwapOutcome};
use crate::model::payment::PaymentState;
use crate::model::receive::ReceiveState;
use crate::store::Change;

impl Wallet {
    /// Another operation has made, or is making, coins with a counter of this swap.
    async fn is_used_again(&self, swap: &Swap) -> Result<bool, Failure> {
        let ys = Operation::Swap(swap.clone()).output_ys()?;
        for other in self.operations().await?.iter().filter(|other| other.id() != swap.id) {
            if other.output_ys()?.iter().any(|y| ys.contains(y)) {
                return Ok(true);
            }
        }
        Ok(!self.store.coins(ys).await?.is_empty())
    }

    /// Asks about a buried swap; `of` is what it was for.
    pub(super) async fn look_for(
        &self,
        seen: Swap,
        of: Purpose,
        since: u64,
    ) -> Result<(), Failure> {
        let mint = self.mints.at(&seen.mint)?;
        let turn = mint.turn().await;
        let Some(mut swap) = self.as_journaled(&seen).await? else { return Ok(()) };
        if self.is_used_again(&swap).await? {
            return self.end_buried(vec![Change::EndOperation(swap.id)]).await;
        }
        let outcome = mint.look_for_swap(&swap).await;
        swap.purpose = of;
        match outcome {
            SwapOutcome::Done { give, keep } => {
                tracing::warn!(swap = %swap.id, "a mint has signed a swap after all; its coins are in");
                self.store.commit(vec![Change::UseCounters(swap.counters())]).await?;
                drop(turn);
                self.unbury(&swap, SwapOutcome::Done { give, keep }).await
            }
            SwapOutcome::Refused(_)
                if matches!(swap.purpose, Purpose::Send(_) | Purpose::Split) =>
            {
                tracing::warn!(swap = %swap.id, "a mint says that a swap's inputs are unspent after all; they are back");
                self.end_buried(vec![
                    coins::revive(swap.input_ys()?),
                    Change::EndOperation(swap.id),
                ])
                .await
            }
            SwapOutcome::Refused(_) if matches!(swap.purpose, Purpose::Cancel(_)) => {
                self.end_buried(vec![Change::EndOperation(swap.id)]).await
            }
            SwapOutcome::SpentElsewhere | SwapOutcome::Refused(_)
                if since.saturating_add(KEPT_SECONDS) < (self.clock)() =>
            {
                tracing::warn!(swap = %swap.id, "nothing was heard of a swap for a week; it is given up");
                self.end_buried(vec![Change::EndOperation(swap.id)]).await
            }
            SwapOutcome::SpentElsewhere | SwapOutcome::Refused(_) | SwapOutcome::Unknown(_) => {
                Ok(())
            }
        }
    }

    /// What it was for ends as it would have, where that can still be.
    async fn unbury(&self, swap: &Swap, outcome: SwapOutcome) -> Result<(), Failure> {
        let SwapOutcome::Done { give, keep } = outcome else { return Ok(()) };
        let (now, fee_sats, sats) = ((self.clock)(), swap.fee_sats(), coins::total_sats(&keep));
        match &swap.purpose {
            Purpose::Cancel(id) => {
                if let Some(payment) =
                    self.store.payment(id).await?.filter(crate::model::payment::Payment::is_open)
                {
                    return self.end_cancel(payment, swap, SwapOutcome::Done { give, keep }).await;
                }
            }
            Purpose::Receive(id) => {
                if let Some(mut receive) = self.store.receive(id).await? {
                    receive.state =
                        ReceiveState::Received { at: now, received_sats: sats, fee_sats };
                    return self
                        .end_buried(vec![
                            coins::made_after_all(give, keep),
                            Change::EndOperation(swap.id),
                            Change::Receive(receive),
                        ])
                        .await;
                }
            }
            Purpose::Reclaim(id) => {
                if let Some(mut payment) = self.store.payment(id).await? {
                    let made = if let PaymentState::Settled { fee_sats, .. } = payment.state {
                        fee_sats
                    } else {
                        0
                    };
                    payment.state = PaymentState::Returned {
                        at: now,
                        reclaimed_sats: sats,
                        fee_sats: made.saturating_add(fee_sats),
                    };
                    let forget = Change::ForgetToken(payment.id.clone());
                    let changes = vec![
                        coins::made_after_all(give, keep),
                        Change::EndOperation(swap.id),
                        forget,
                        Change::Payment(payment),
                    ];
                    return self.end_buried(changes).await;
                }
            }
            Purpose::Send(_)
            | Purpose::Claim
            | Purpose::Nutzaps(_)
            | Purpose::Split
            | Purpose::Buried { .. } => {}
        }
        self.end_buried(vec![coins::made_after_all(give, keep), Change::EndOperation(swap.id)])
            .await
    }

    async fn end_buried(&self, changes: Vec<Change>) -> Result<(), Failure> {
        self.store.commit(changes).await?;
        self.changed();
        Ok(())
    }
}
