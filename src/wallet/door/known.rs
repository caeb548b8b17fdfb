//! Step 1 of the door (`known?`): finds the payment recorded for an idempotency key.
//!
//! Two requests are the same if their digests are equal; one key with two digests is a conflict.
//! Contacts nobody.

use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentState};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure};

/// Result of looking up a request.
#[derive(Clone, Debug)]
pub(crate) enum KnownRequest {
    /// No payment is recorded.
    New,
    /// The payment is under way or done.
    Recorded(Box<Payment>),
    /// The payment failed for good; a new attempt reuses its id.
    Again(Box<Payment>),
}

impl KnownRequest {
    /// Returns the failed payment that this request retries.
    pub(crate) fn earlier(&self) -> Option<&Payment> {
        if let Self::Again(payment) = self { Some(payment) } else { None }
    }
}

impl From<Payment> for KnownRequest {
    fn from(payment: Payment) -> Self {
        match payment.state {
            PaymentState::Failed { .. } => Self::Again(Box::new(payment)),
            _ => Self::Recorded(Box::new(payment)),
        }
    }
}

/// Looks up this agent's payment by key, which may also be a payment id.
///
/// # Errors
/// [`Cause::Conflict`] if the key belongs to another request, and those of the store.
pub(crate) async fn known_by_key(
    core: &Core,
    caller: &Caller,
    key: Option<&str>,
    digest: &str,
) -> Result<KnownRequest, Failure> {
    let Some(key) = key else { return Ok(KnownRequest::New) };
    let by_id = match key.parse::<PaymentId>() {
        Ok(id) => core.store.payment(&id).await?.filter(|payment| payment.agent == caller.agent),
        Err(_) => None,
    };
    let found = match by_id {
        Some(payment) => Some(payment),
        None => core.store.payment_by_key(&caller.agent, key).await?,
    };
    match found {
        Some(payment) if payment.request_digest != digest => {
            Err(Failure::new(Cause::Conflict).of(&payment.id))
        }
        Some(payment) => Ok(KnownRequest::from(payment)),
        None => Ok(KnownRequest::New),
    }
}
