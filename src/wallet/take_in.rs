//! Coins of others, swapped for ours under a receive's name, and what that came to.

use super::failure::{Cause, Failure, TokenRefusal};
use super::{Wallet, coins};
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::mint::{Coins, Mint, Turn};
use crate::model::receive::{Receive, ReceiveState};
use crate::store::{Change, ForeignState};

impl Wallet {
    /// Swaps received coins for ours, under the receive's name.
    pub(super) async fn swap_coins_in(
        &self,
        receive: &Receive,
        proofs: Coins,
        mint: &Mint,
        turn: &Turn,
    ) -> Result<(Swap, SwapOutcome), Failure> {
        if mint.input_fee(&proofs).await? >= receive.amount_sats {
            return Err(Cause::FeeEatsToken.into());
        }
        let want = Want {
            purpose: Purpose::Receive(receive.id.clone()),
            give_sats: 0,
            lock_to: None,
            memo: None,
        };
        self.swap(mint, proofs, want, |_| Ok(Vec::new()), turn).await
    }

    /// What a received token's swap came to.
    pub(super) async fn end_receive(
        &self,
        mut receive: Receive,
        mint: &Mint,
        swap: &Swap,
        outcome: SwapOutcome,
        _turn: &Turn,
    ) -> Result<Receive, Failure> {
        let now = (self.clock)();
        match outcome {
            SwapOutcome::Done { keep, .. } => {
                receive.state = ReceiveState::Received {
                    at: now,
                    received_sats: coins::total_sats(&keep),
                    fee_sats: swap.fee_sats(),
                };
                // The token may have been of coins that another device of ours left on relays.
                let others = Change::Foreign { ys: swap.input_ys()?, to: ForeignState::Spent };
                let changes = vec![
                    Change::Proofs { add: keep },
                    others,
                    Change::EndOperation(swap.id),
                    Change::Receive(receive.clone()),
                ];
                self.store.commit(changes).await?;
                self.changed();
                self.wake();
                Ok(receive)
            }
            SwapOutcome::Refused(error) => {
                self.refuse(receive, super::swap::refused(swap, &error), error.into()).await
            }
            SwapOutcome::SpentElsewhere => {
                let left = self.left_of(mint, swap).await;
                let spent = Cause::Token(TokenRefusal::Spent(left));
                self.refuse(receive, self.bury(swap)?.into(), spent.into()).await
            }
            SwapOutcome::Unknown(_) => {
                self.wake();
                Ok(receive)
            }
        }
    }

    /// Nothing was taken; the token is as it was.
    pub(super) async fn refuse(
        &self,
        mut receive: Receive,
        mut beside: Vec<Change>,
        failure: Failure,
    ) -> Result<Receive, Failure> {
        receive.state = ReceiveState::Refused { at: (self.clock)(), failure: failure.to_store() };
        beside.push(Change::Receive(receive));
        self.store.commit(beside).await?;
        Err(failure)
    }

    async fn left_of(&self, mint: &Mint, swap: &Swap) -> u64 {
        mint.unspent_of(swap).await.unwrap_or(0)
    }
}
