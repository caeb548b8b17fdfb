//! Start-up recovery: ends what a crash cut short, once, before anything else. What needs a mint is
//! left to `settle`.
//!
//! Contacts no mint. May itself be killed anywhere.

use super::Wallet;
use super::failure::{Cause, Failure};
use crate::mint::swap::Purpose;
use crate::model::payment::{Payment, PaymentState};
use crate::store::Change;

impl Wallet {
    /// Ends what a crash cut short. Once, at start, before anything else; what cannot be ended now
    /// is left to [`Wallet::settle`].
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`. A mint that does not answer is no error.
    pub async fn recover(&self) -> Result<(), Failure> {
        for payment in self.store.open_payments().await? {
            self.orphan(payment).await?;
        }
        self.refuse_unbegun().await?;
        // The day begins for what was paid under a clock that was ahead.
        self.store.ledger("", None, (self.clock)()).await?;
        Ok(())
    }

    /// A payment that was open when the process ended: its caller is gone; if nothing can have
    /// left, it failed.
    async fn orphan(&self, mut payment: Payment) -> Result<(), Failure> {
        payment.caller_in_doubt = true;
        let swaps = self.journaled_swaps().await?;
        let made = swaps.iter().any(|swap| swap.purpose == Purpose::Send(payment.id.clone()));
        if payment.state == PaymentState::Reserved && !made {
            let unsent = Cause::NeverSent { receive: false };
            self.record_failure(payment, unsent.into(), Vec::new()).await;
            return Ok(());
        }
        Ok(self.store.commit(vec![Change::Payment(payment)]).await?)
    }

    /// Tokens whose swap was never journaled: nothing was taken.
    async fn refuse_unbegun(&self) -> Result<(), Failure> {
        let swaps = self.journaled_swaps().await?;
        for receive in self.store.open_receives().await? {
            if !swaps.iter().any(|swap| swap.purpose == Purpose::Receive(receive.id.clone())) {
                let unsent = Cause::NeverSent { receive: true };
                let _told = self.refuse(receive, Vec::new(), unsent.into()).await;
            }
        }
        Ok(())
    }
}
