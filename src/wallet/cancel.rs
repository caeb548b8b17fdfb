//! The end of a dead melt: its coins are swapped away from it (NUT-03), so that the mint cannot pay
//! it any more.
//!
//! Never begins before the mint has called the quote unpaid, and a minute has passed since the
//! request of which nobody has the answer.

use super::dispute::KEPT_SECONDS;
use super::failure::{Cause, Failure};
use super::{Wallet, coins};
use crate::mint::Mint;
use crate::mint::error::MintError;
use crate::mint::melt::Melt;
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::model::payment::{Payment, PaymentState};
use crate::store::Change;

/// How old an unpaid melt without an exchange must be before its coins are swapped away, in
/// seconds.
const CANCEL_AFTER_SECONDS: u64 = 60;

impl Wallet {
    /// The mint says unpaid and nobody carries the request: swaps its coins away, so that it cannot
    /// be paid any more.
    pub(super) async fn cancel_melt(
        &self,
        payment: Payment,
        mint: &Mint,
        melt: Melt,
    ) -> Result<(), Failure> {
        let (PaymentState::Sent { since, .. }, now) = (&payment.state, (self.clock)()) else {
            return Ok(());
        };
        let since = *since;
        if since.saturating_add(CANCEL_AFTER_SECONDS) > now {
            return Ok(());
        }
        let turn = mint.turn().await;
        let purpose = Purpose::Cancel(payment.id.clone());
        let tried = |swap: &Swap| match &swap.purpose {
            Purpose::Buried { of, .. } => **of == purpose,
            other => *other == purpose,
        };
        let swaps = self.journaled_swaps().await?;
        if !self.is_journaled(melt.id).await? || swaps.iter().any(|swap| swap.purpose == purpose) {
            return Ok(());
        }
        // Where relays show our coins, another device taking some is nothing unusual. Elsewhere the
        // mint must have said so for long.
        if self.nostr.is_some() || since.saturating_add(KEPT_SECONDS) < now {
            let held = self.store.coins(melt.input_ys()?).await?;
            let spent = self.spent_by_another(mint, &melt.quote_id, &held).await?;
            if !spent.is_empty() && !mint.has_change(&melt).await? {
                let left = coins::ys(&held).into_iter().filter(|y| !spent.contains(y)).collect();
                let beside =
                    vec![coins::spent(spent), coins::free(left), Change::EndOperation(melt.id)];
                self.record_failure(payment, MintError::SpentElsewhere.into(), beside).await;
                drop(turn);
                return self.doubt_the_rest(mint.address()).await;
            }
        }
        if swaps.iter().any(tried) {
            return Ok(());
        }
        let want = Want { purpose, give_sats: 0, lock_to: None, memo: None };
        let (swap, outcome) =
            self.swap(mint, melt.inputs(), want, |_| Ok(Vec::new()), &turn).await?;
        drop(turn);
        self.end_cancel(payment, &swap, outcome).await
    }

    /// What swapping a melt's coins away came to. Refused or spent: the mint's word on the quote
    /// decides in a later round.
    pub(super) async fn end_cancel(
        &self,
        payment: Payment,
        swap: &Swap,
        outcome: SwapOutcome,
    ) -> Result<(), Failure> {
        match outcome {
            SwapOutcome::Done { keep, .. } => {
                let mut beside = coins::swapped(swap, keep)?;
                if let Some(melt) = self.melt_of(&payment.id).await? {
                    beside.extend([
                        Change::EndOperation(melt.id),
                        Change::FreeCounters(melt.counters()),
                    ]);
                }
                let payment = self.store.payment(&payment.id).await?.unwrap_or(payment);
                if !payment.is_open() {
                    tracing::warn!(payment = %payment.id, "its mint called it paid, and has given its coins back");
                    return Ok(self.store.commit(beside).await?);
                }
                self.record_failure(payment, Cause::CameBack.into(), beside).await;
                Ok(())
            }
            SwapOutcome::Refused(error) => {
                Ok(self.store.commit(super::swap::refused(swap, &error)).await?)
            }
            SwapOutcome::SpentElsewhere => Ok(self.store.commit(self.bury(swap)?.into()).await?),
            SwapOutcome::Unknown(_) => Ok(()),
        }
    }
}
