//! What a person did to the rules, and what only a person may excuse.

use super::Wallet;
use super::code::Code;
use super::error::Error;
use crate::model::id::PaymentId;
use crate::store::{Change, PolicyChange};

impl Wallet {
    /// Writes a change of the rules into the history.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    pub async fn record_policy(&self, text: String, loosened: bool) -> Result<(), Error> {
        let at = (self.clock)();
        self.store.commit(vec![Change::Policy(PolicyChange { at, text, loosened })]).await?;
        self.changed();
        Ok(())
    }

    /// A person says that a payment whose outcome was in doubt may be repeated.
    ///
    /// # Errors
    /// `not_found`, `storage_failed`, `wallet_damaged`.
    pub async fn allow_repeat(&self, id: &PaymentId) -> Result<(), Error> {
        let found = self.store.payment(id).await?;
        let mut payment = found.ok_or_else(|| Error::new(Code::NotFound, "No payment has that id."))?;
        payment.caller_in_doubt = false;
        self.store.commit(vec![Change::Payment(payment)]).await?;
        self.record_policy(format!("allowed a repeat of {id}"), true).await
    }
}
