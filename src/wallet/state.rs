//! Writing a payment's new state down, durably, with whatever belongs to it.

use super::Wallet;
use super::failure::Failure;
use super::in_flight::Gone;
use crate::model::payment::{Payment, PaymentState};
use crate::store::Change;

impl Wallet {
    /// Step 6: a payment's new state, durably, with whatever has to be written beside it.
    pub(super) async fn record(
        &self,
        mut payment: Payment,
        state: PaymentState,
        mut beside: Vec<Change>,
    ) -> Result<Payment, Failure> {
        let gone = self.live().get(&payment.id).is_none_or(Gone::is_gone);
        payment.caller_in_doubt = match &state {
            PaymentState::Failed { .. } | PaymentState::Returned { .. } => false,
            PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => true,
            PaymentState::Reserved | PaymentState::Settled { .. } => {
                payment.caller_in_doubt || gone
            }
        };
        payment.state = state;
        if self.nostr.is_some()
            && payment.melted().is_some()
            && matches!(payment.state, PaymentState::Settled { .. })
        {
            beside.push(Change::Tell(payment.id.clone()));
        }
        beside.push(Change::Payment(payment.clone()));
        self.store.commit(beside).await?;
        self.changed();
        Ok(payment)
    }

    /// Step 6 for a definite no: nothing moved, and the same call may be made again. Answers the
    /// failure with the payment's name.
    pub(super) async fn record_failure(
        &self,
        payment: Payment,
        failure: Failure,
        beside: Vec<Change>,
    ) -> Failure {
        let id = payment.id.clone();
        let state = PaymentState::Failed { at: (self.clock)(), failure: failure.to_store() };
        match self.record(payment, state, beside).await {
            Ok(_) => failure.of(&id),
            Err(storage) => storage.of(&id),
        }
    }
}
