//! Tokens of ours in the hands of others: whether somebody has claimed them (NUT-07).
//!
//! A mint's word is asked for twice before a token's text goes.

use super::error::Error;
use super::{Wallet, coins};
use crate::mint::swap::Purpose;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::store::{Change, TokenRow};

/// How long after a token was first called claimed its mint is asked once more, in seconds.
pub(super) const CLAIMED_TWICE_SECONDS: u64 = 60;

impl Wallet {
    /// A token of ours that is being taken back: nobody knows yet whether it is still good.
    pub(super) async fn is_being_reclaimed(&self, payment: &Payment) -> Result<bool, Error> {
        if payment.kind != PaymentKind::TokenSent || !matches!(payment.state, PaymentState::Settled { claimed: false, .. }) {
            return Ok(false);
        }
        Ok(self.journaled_swaps().await?.iter().any(|swap| swap.purpose == Purpose::Reclaim(payment.id.clone())))
    }

    /// Asks the mint whether somebody has claimed a token of ours, and writes it down.
    pub(super) async fn check_claimed(&self, payment: Payment, row: TokenRow) -> Result<Payment, Error> {
        let mint = self.mints.at(&payment.mint)?;
        if !mint.all_spent(row.ys.clone()).await? {
            return Ok(payment);
        }
        let turn = mint.turn().await;
        if self.store.token(&payment.id).await?.is_none() {
            return Ok(self.store.payment(&payment.id).await?.unwrap_or(payment));
        }
        let reclaiming = self.journaled_swaps().await?.iter().any(|swap| swap.purpose == Purpose::Reclaim(payment.id.clone()));
        if reclaiming {
            return Ok(payment);
        }
        let ended = self.record_claimed(payment, row.ys, Vec::new()).await;
        drop(turn);
        ended
    }

    /// Asks once more about a token that its mint has called claimed: only then its text goes. A mint that was wrong gives it back.
    pub(super) async fn check_still_claimed(&self, mut payment: Payment, row: TokenRow) -> Result<(), Error> {
        let mint = self.mints.at(&payment.mint)?;
        let states = mint.states(row.ys.clone()).await?;
        if coins::all(&states, true) {
            return Ok(self.store.commit(vec![Change::ForgetToken(payment.id)]).await?);
        }
        let PaymentState::Settled { at, fee_sats, .. } = payment.state else { return Ok(()) };
        if coins::all(&states, false) {
            tracing::warn!(payment = %payment.id, "its mint called a token claimed, and calls it unclaimed now");
            payment.state = PaymentState::Settled { at, fee_sats, preimage: None, claimed: false };
            let (back, id) = (coins::unclaim(row.ys.clone()), payment.id.clone());
            let row = Change::Token { payment: id, row: TokenRow { claimed_at: None, ..row } };
            self.store.commit(vec![back, row, Change::Payment(payment)]).await?;
            self.changed();
        }
        Ok(())
    }
}
