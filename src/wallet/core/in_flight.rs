//! Payments that this process is carrying out, and whether their callers still wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::id::PaymentId;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, Late};

/// Resource that a payment waits for before it is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// A free slot for another melt.
    Place,
    /// The mint, or another exchange with it.
    Mint,
    /// Proofs reserved by other payments.
    Coins,
}

/// Flag set when the caller no longer waits and so may never learn the outcome. Also records what
/// the payment was waiting for.
#[derive(Clone, Debug)]
pub(crate) struct Gone(Arc<(AtomicBool, Mutex<Awaits>)>);

impl Default for Gone {
    fn default() -> Self {
        Self(Arc::new((AtomicBool::new(false), Mutex::new(Awaits::Place))))
    }
}

impl Gone {
    pub(crate) fn is_gone(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    pub(crate) fn awaits(&self, what: Awaits) {
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Returns the failure for a payment that was not admitted in time.
    pub(crate) fn too_late(&self) -> Failure {
        let late = match *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) {
            Awaits::Place => Late::Place,
            Awaits::Mint => Late::Mint,
            Awaits::Coins => Late::Coins,
        };
        Cause::Late(late).into()
    }
}

/// Guard held while the caller waits; dropping it sets the flag.
#[derive(Debug)]
pub(crate) struct Waiting(Gone);

impl Waiting {
    pub(crate) fn new(gone: Gone) -> Self {
        Self(gone)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.0.store(true, Ordering::Release);
    }
}

/// Guard of a payment that this process is carrying out.
#[derive(Debug)]
pub(crate) struct Carried {
    core: Core,
    id: PaymentId,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.core.live().remove(&self.id);
    }
}

/// Marks the payment as carried out by this process until the guard is dropped, even by a panic.
pub(crate) fn carry(core: &Core, id: &PaymentId, gone: Gone) -> Carried {
    core.live().insert(id.clone(), gone);
    Carried { core: core.clone(), id: id.clone() }
}
