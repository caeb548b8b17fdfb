//! The end of a dead melt: its coins are swapped away from it (NUT-03), so that the mint cannot pay it any more.
//!
//! Never begins before the mint has called the quote unpaid, and a minute has passed since the request of which nobody has the answer.

use super::code::Code;
use super::error::Error;
use super::{Wallet, coins};
use crate::mint::Mint;
use crate::mint::error::MintError;
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::model::payment::{Payment, PaymentState};
use crate::store::Change;

/// How old an unpaid melt without an exchange must be before its coins are swapped away, in seconds.
const CANCEL_AFTER_SECONDS: u64 = 60;

impl Wallet {
    /// The mint says unpaid and nobody carries the request: swaps its coins away, so that it cannot be paid any more.
    pub(super) async fn cancel_melt(&self, payment: Payment, mint: &Mint, quote_id: &str) -> Result<(), Error> {
        let PaymentState::Sent { since, .. } = payment.state else { return Ok(()) };
        if since.saturating_add(CANCEL_AFTER_SECONDS) > (self.clock)() {
            return Ok(());
        }
        let turn = mint.turn().await;
        let purpose = Purpose::Cancel(payment.id.clone());
        let tried = |swap: &Swap| match &swap.purpose {
            Purpose::Buried { of, .. } => **of == purpose,
            other => *other == purpose,
        };
        let swaps = self.journaled_swaps().await?;
        if swaps.iter().any(|swap| swap.purpose == purpose) {
            return Ok(());
        }
        let held = mint.held_by_melt(quote_id).await?;
        if held.is_empty() {
            // Freed or spent: the mint had said a definite no, and a crash came before it was written down. Nothing is left that could pay.
            let error = Error::new(Code::RouteNotFound, "The payment did not go through; its coins came back.");
            self.record_failure(payment, error, Vec::new()).await;
            self.store.lift_doubt(quote_id);
            return Ok(());
        }
        if self.nostr.is_some() {
            let spent = self.spent_by_another(mint, quote_id, &held).await?;
            if !spent.is_empty() {
                self.record_failure(payment, MintError::SpentElsewhere.into(), vec![coins::spent(spent)]).await;
                self.store.lift_doubt(quote_id);
                // What is left of its coins is free again.
                mint.finish_melt(quote_id, &turn).await?;
                drop(turn);
                return self.doubt_the_rest(mint.address()).await;
            }
        }
        if swaps.iter().any(tried) {
            return Ok(());
        }
        let want = Want { purpose, give_sats: 0, lock_to: None, memo: None };
        let (swap, outcome) = self.swap(mint, coins::proofs(held), want, |_| Ok(Vec::new()), &turn).await?;
        drop(turn);
        self.end_cancel(payment, mint, &swap, outcome).await
    }

    /// What swapping a melt's coins away came to. Refused or spent: the mint's word on the quote decides in a later round.
    pub(super) async fn end_cancel(&self, payment: Payment, mint: &Mint, swap: &Swap, outcome: SwapOutcome) -> Result<(), Error> {
        match outcome {
            SwapOutcome::Done { keep, .. } => {
                let beside = coins::swapped(swap, keep)?;
                let quote_id = payment.quote_id.clone().unwrap_or_default();
                let error = Error::new(Code::RouteNotFound, "The payment did not go through; its coins came back.");
                self.record_failure(payment, error, beside).await;
                self.store.lift_doubt(&quote_id);
                let turn = mint.turn().await;
                mint.finish_melt(&quote_id, &turn).await?;
                Ok(())
            }
            SwapOutcome::Refused(_) => Ok(self.store.commit(vec![Change::EndSwap(swap.id)]).await?),
            SwapOutcome::SpentElsewhere => Ok(self.store.commit(vec![self.bury(mint, swap)?]).await?),
            SwapOutcome::Unknown(_) => Ok(()),
        }
    }
}
