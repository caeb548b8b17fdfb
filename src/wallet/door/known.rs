//! Step 1 of the one door, known?: what is recorded of a request under its key.
//!
//! A request is the same when its digest is; the same key with another digest is a conflict.
//! Contacts nobody.

use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentState};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure};

/// What is known of a request.
#[derive(Clone, Debug)]
pub(crate) enum KnownRequest {
    /// Nothing.
    New,
    /// It is under way or done: this is its outcome.
    Recorded(Box<Payment>),
    /// It failed for good: it may be tried again under its own id.
    Again(Box<Payment>),
}

impl KnownRequest {
    /// The attempt that failed, to be made again.
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

/// The recorded payment of this key, if it is open or done; the id to use again,
/// if it failed for good.
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
