//! Records a payment's new state.

use crate::model::payment::{Payment, PaymentState};
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::in_flight::Gone;

/// Records a payment's new state durably, in one commit with the changes in `beside`.
pub(crate) async fn record(
    core: &Core,
    mut payment: Payment,
    state: PaymentState,
    mut beside: Vec<Change>,
) -> Result<Payment, Failure> {
    let gone = core.live().get(&payment.id).is_none_or(Gone::is_gone);
    payment.outcome_undelivered = match &state {
        PaymentState::Failed { .. } | PaymentState::Returned { .. } => false,
        PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => true,
        PaymentState::Reserved | PaymentState::Settled { .. } => {
            payment.outcome_undelivered || gone
        }
    };
    payment.state = state;
    if core.nostr.is_some()
        && payment.melted().is_some()
        && matches!(payment.state, PaymentState::Settled { .. })
    {
        beside.push(Change::Announce(payment.id.clone()));
    }
    beside.push(Change::Payment(payment.clone()));
    core.store.commit(beside).await?;
    core.changed();
    Ok(payment)
}

/// Records a definite failure: nothing moved, and the same call may be made again. Returns the
/// failure with the payment's id.
pub(crate) async fn record_failure(
    core: &Core,
    payment: Payment,
    failure: Failure,
    beside: Vec<Change>,
) -> Failure {
    let id = payment.id.clone();
    let state = PaymentState::Failed { at: (core.clock)(), failure: failure.to_store() };
    match record(core, payment, state, beside).await {
        Ok(_) => failure.of(&id),
        Err(storage) => storage.of(&id),
    }
}
