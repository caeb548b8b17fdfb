//! Taking a token of ours back, by swapping its coins away from whoever has it.

use super::failure::{Cause, Failure, Missing, TokenRefusal};
use super::record::{PaymentRecord, Replay};
use super::{Caller, Wallet, coins};
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::mint::{Mint, Turn};
use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::store::{Change, TokenRow};

impl Wallet {
    /// Takes a token of ours back. Gives nothing back to the day's limit. A token that somebody has
    /// claimed is answered `settled`, `claimed`.
    ///
    /// # Errors
    /// [`Cause::NotFound`], [`Cause::Token`], [`Cause::Mint`], [`Cause::FeeEatsToken`]: nothing
    /// moved.
    ///
    /// # Cancel safety
    /// Safe to drop: it goes on to its end.
    pub async fn reclaim_token(
        &self,
        caller: &Caller,
        id: &PaymentId,
    ) -> Result<PaymentRecord, Failure> {
        let until = self.deadline();
        let setup = self.setup().await?;
        let payment = self.own_payment(caller, id).await?;
        if !matches!(payment.kind, PaymentKind::Token) {
            return Err(Cause::NotFound(Missing::Token).into());
        }
        let Some(row) = self.store.token(&payment.id).await? else {
            return self.describe(&setup, caller, payment, Replay::Yes).await;
        };
        if row.locked {
            return Err(Cause::Token(TokenRefusal::LockedByUs).into());
        }
        let (wallet, pending) = (self.clone(), payment.clone());
        let done = self
            .run_to_end(until.left(), async move { wallet.take_back(payment, row).await })
            .await;
        let payment = match done {
            Some(outcome) => outcome?,
            None => self.store.payment(&pending.id).await?.unwrap_or(pending),
        };
        self.describe(&setup, caller, payment, Replay::No).await
    }

    async fn take_back(&self, payment: Payment, row: TokenRow) -> Result<Payment, Failure> {
        let mint = self.mints.at(&payment.mint)?;
        let turn = mint.turn().await;
        if self.store.token(&payment.id).await?.is_none() {
            return Ok(self.store.payment(&payment.id).await?.unwrap_or(payment));
        }
        let purpose = Purpose::Reclaim(payment.id.clone());
        let under_way =
            self.journaled_swaps().await?.into_iter().find(|swap| swap.purpose == purpose);
        if let Some(swap) = under_way {
            let outcome = mint.resume_swap(&swap, &turn).await;
            return self.end_reclaim(payment, &mint, &swap, outcome, &turn).await;
        }
        let all = self.store.coins(row.ys.clone()).await?;
        let fee = mint.input_fee(&coins::proofs(all.clone())).await?;
        if fee >= coins::total_sats(&all) {
            return Err(Cause::FeeEatsToken.into());
        }
        let want = Want { purpose, give_sats: 0, lock_to: None, memo: None };
        let (swap, outcome) =
            self.swap(&mint, coins::proofs(all), want, |_| Ok(Vec::new()), &turn).await?;
        self.end_reclaim(payment, &mint, &swap, outcome, &turn).await
    }

    /// What taking back came to.
    pub(super) async fn end_reclaim(
        &self,
        payment: Payment,
        mint: &Mint,
        swap: &Swap,
        outcome: SwapOutcome,
        _turn: &Turn,
    ) -> Result<Payment, Failure> {
        match outcome {
            SwapOutcome::Done { keep, .. } => {
                let made = match &payment.state {
                    PaymentState::Settled { fee_sats, .. } => *fee_sats,
                    _ => 0,
                };
                let reclaimed_sats = coins::total_sats(&keep);
                let mut beside = coins::swapped(swap, keep)?;
                beside.push(Change::ForgetToken(payment.id.clone()));
                let fee_sats = made.saturating_add(swap.fee_sats());
                let state = PaymentState::Returned { at: (self.clock)(), reclaimed_sats, fee_sats };
                self.record(payment, state, beside).await
            }
            SwapOutcome::Refused(error) => {
                self.store.commit(super::swap::refused(swap, &error)).await?;
                Err(Failure::from(error).of(&payment.id))
            }
            SwapOutcome::SpentElsewhere if mint.unspent_of(swap).await.unwrap_or(0) == 0 => {
                self.record_claimed(payment, swap.input_ys()?, self.bury(swap)?.into()).await
            }
            SwapOutcome::SpentElsewhere => {
                self.store
                    .commit(vec![
                        Change::EndOperation(swap.id),
                        Change::FreeCounters(swap.counters()),
                    ])
                    .await?;
                Err(Failure::new(Cause::Token(TokenRefusal::PartlyClaimed)).of(&payment.id))
            }
            SwapOutcome::Unknown(_) => {
                self.wake();
                Ok(payment)
            }
        }
    }
}
