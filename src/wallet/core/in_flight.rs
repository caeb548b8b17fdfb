//! Payments that this process carries, and whether their callers still wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::id::PaymentId;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, Late};

/// What a payment waits for before it is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// A place among the melts that are leaving.
    Place,
    /// The mint, or another exchange with it.
    Mint,
    /// Coins that other payments hold.
    Coins,
}

/// Set when the caller no longer waits: it may never learn what became of its payment. Says what
/// was waited for until then.
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

    /// Why nothing was admitted in time.
    pub(crate) fn too_late(&self) -> Failure {
        let late = match *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) {
            Awaits::Place => Late::Place,
            Awaits::Mint => Late::Mint,
            Awaits::Coins => Late::Coins,
        };
        Cause::Late(late).into()
    }
}

/// Lives as long as the caller waits.
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

/// A payment in this process's hands.
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

/// This process has the payment in its hands until the guard is dropped, also by a panic.
pub(crate) fn carry(core: &Core, id: &PaymentId, gone: Gone) -> Carried {
    core.live().insert(id.clone(), gone);
    Carried { core: core.clone(), id: id.clone() }
}
