//! The end of a dead melt: its coins are swapped away from it (NUT-03), so that the mint cannot pay it any more.
//!
//! Never begins before the mint has called the quote unpaid, and a minute has passed since the request of which nobody has the answer.

use super::code::Code;
use super::error::Error;
use super::{Wallet, coins};
use crate::mint::Mint;
use crate::mint::melt::MeltWord;
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
        if self.journaled_swaps().await?.iter().any(tried) {
            return Ok(());
        }
        let held = mint.held_by_melt(quote_id).await?;
        if held.is_empty() {
            return Ok(());
        }
        let want = Want { purpose, give_sats: 0, lock_to: None, memo: None };
        let (swap, outcome) = self.swap(mint, coins::proofs(held), want, |_| Ok(Vec::new()), &turn).await?;
        drop(turn);
        self.end_cancel(payment, mint, &swap, outcome).await
    }

    /// The mint has taken some of a melt's coins from somebody else, has signed nothing for them to us, and calls the melt unpaid after
    /// that: it cannot be made any more. Another device of this wallet was faster, or another holder of its keys.
    async fn give_up_melt(&self, payment: Payment, mint: &Mint, swap: &Swap, quote_id: &str, buried: Change) -> Result<(), Error> {
        let held = mint.coins(swap.input_ys()?).await?;
        let states = mint.states(coins::ys(&held)).await?;
        let (_, spent) = coins::by_word(&held, &states);
        let error = Error::new(Code::MintRefused, "Another device of this wallet spent these coins; the payment was not made.");
        self.record_failure(payment, error, vec![buried, coins::spent(spent)]).await;
        self.store.lift_doubt(quote_id);
        let turn = mint.turn().await;
        mint.finish_melt(quote_id, &turn).await?;
        drop(turn);
        self.doubt_the_rest(mint.address()).await
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
            SwapOutcome::SpentElsewhere => {
                let buried = self.bury(mint, swap)?;
                let quote_id = payment.quote_id.clone().unwrap_or_default();
                match mint.melt_word(&quote_id).await {
                    Ok((MeltWord::Unpaid, None)) if payment.is_open() => self.give_up_melt(payment, mint, swap, &quote_id, buried).await,
                    // Nothing is known of the melt: the swap stays as it is, and a later round asks again.
                    Err(_) | Ok((MeltWord::Pending, _)) if payment.is_open() => Ok(()),
                    _ => Ok(self.store.commit(vec![buried]).await?),
                }
            }
            SwapOutcome::Unknown(_) => Ok(()),
        }
    }
}
