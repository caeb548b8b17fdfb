//! Stands still after a chosen commit, as a process stands that was killed there. For tests of crashes: nothing of the wallet asks for it.
//!
//! What was committed without a sync is gone, unless the last commit is asked to be durable and so carries all before it along: both
//! are ends that a kill can leave behind.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::Store;

#[derive(Debug)]
pub(super) struct Halt {
    plan: Mutex<Option<(u64, bool)>>,
    halted: watch::Sender<bool>,
}

impl Default for Halt {
    fn default() -> Self {
        Self { plan: Mutex::new(None), halted: watch::Sender::new(false) }
    }
}

/// Whether a commit is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    No,
    AsItIs,
    Durable,
}

impl Last {
    pub(super) fn is_last(self) -> bool {
        self != Self::No
    }

    pub(super) fn is_durable(self) -> bool {
        self == Self::Durable
    }
}

impl Halt {
    /// Counts a commit down. Taken under the writer's lock.
    pub(super) fn is_last(&self) -> Last {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        match plan.as_mut() {
            Some((0 | 1, durable)) if *durable => Last::Durable,
            Some((0 | 1, _)) => Last::AsItIs,
            Some((left, _)) => {
                *left = left.saturating_sub(1);
                Last::No
            }
            None => Last::No,
        }
    }

    pub(super) fn now(&self) {
        self.halted.send_replace(true);
    }

    /// Returns at once, unless the store stands still: then never.
    pub(super) async fn stand_still(&self) {
        if *self.halted.borrow() {
            std::future::pending::<()>().await;
        }
    }
}

impl Store {
    /// Stands still after the `commits`-th commit from now, of either kind: the file is let go, and no call ever returns. `durable`
    /// makes that last commit a durable one.
    pub fn halt_after(&self, commits: u64, durable: bool) {
        *self.inner.halt.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((commits, durable));
    }

    /// Returns when the store stands still.
    pub async fn halted(&self) {
        let mut halted = self.inner.halt.halted.subscribe();
        let _sender_lives_as_long = halted.wait_for(|halted| *halted).await;
    }

    /// How many commits were made since the file was opened, of both kinds.
    pub fn commits(&self) -> u64 {
        self.inner.written.load(std::sync::atomic::Ordering::Acquire)
    }
}
