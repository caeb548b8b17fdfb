//! Taking a token of ours back, by swapping its coins away from whoever has it.

use super::code::Code;
use super::error::Error;
use super::request::{Caller, ReclaimToken};
use super::show::Replay;
use super::view::PaymentView;
use super::{Wallet, coins};
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::mint::{Mint, Turn};
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::store::{Change, TokenRow};

impl Wallet {
    /// Takes a token of ours back. Gives nothing back to the day's limit. A token that somebody has
    /// claimed is answered `settled`, `claimed`.
    ///
    /// # Errors
    /// `invalid_input`, `not_found`, `token_locked`, `mint_unreachable`, `mint_refused`,
    /// `amount_out_of_range`: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: it goes on to its end.
    pub async fn reclaim_token(
        &self,
        caller: &Caller,
        request: ReclaimToken,
    ) -> Result<PaymentView, Error> {
        let until = self.deadline();
        let setup = self.setup().await?;
        let payment = self.own_payment(caller, &request.payment_id).await?;
        if payment.kind != PaymentKind::TokenSent {
            return Err(Error::new(
                Code::NotFound,
                "That payment is not a token; a paid invoice cannot be taken back.",
            ));
        }
        let Some(row) = self.store.token(&payment.id).await? else {
            return self.show_payment(&setup, caller, payment, Replay::Yes).await;
        };
        if row.locked {
            return Err(Error::new(
                Code::TokenLocked,
                "The token is locked to its receiver's key and cannot be taken back.",
            )
            .next("Ask the receiver; only they can claim it."));
        }
        let (wallet, pending) = (self.clone(), payment.clone());
        let done = self
            .run_to_end(until.left(), async move { wallet.take_back(payment, row).await })
            .await;
        let payment = match done {
            Some(outcome) => outcome?,
            None => self.store.payment(&pending.id).await?.unwrap_or(pending),
        };
        self.show_payment(&setup, caller, payment, Replay::No).await
    }

    async fn take_back(&self, payment: Payment, row: TokenRow) -> Result<Payment, Error> {
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
            return Err(Error::new(
                Code::AmountOutOfRange,
                "The mint's fee is as much as the token is worth.",
            ));
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
    ) -> Result<Payment, Error> {
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
                Err(Error::from(error).of(&payment.id))
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
                Err(Error::new(
                    Code::TokenSpent,
                    "Part of the token was claimed; the rest stays with whoever has it.",
                )
                .of(&payment.id))
            }
            SwapOutcome::Unknown(_) => {
                self.wake();
                Ok(payment)
            }
        }
    }

    /// Somebody has claimed a token of ours: its coins, by Y, are spent.
    pub(super) async fn record_claimed(
        &self,
        mut payment: Payment,
        ys: coins::Ys,
        mut beside: Vec<Change>,
    ) -> Result<Payment, Error> {
        let PaymentState::Settled { at, fee_sats, .. } = payment.state else { return Ok(payment) };
        payment.state = PaymentState::Settled { at, fee_sats, preimage: None, claimed: true };
        if let Some(row) = self.store.token(&payment.id).await? {
            let row = TokenRow { claimed_at: Some((self.clock)()), ..row };
            beside.push(Change::Token { payment: payment.id.clone(), row });
        }
        beside.extend([coins::spent(ys), Change::Payment(payment.clone())]);
        self.store.commit(beside).await?;
        self.changed();
        Ok(payment)
    }
}
