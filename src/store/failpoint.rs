//! Failpoint for crash tests: stops the store after the n-th commit, as a kill would. The shipped
//! program is built without it.
//!
//! The last commit can be made durable, which makes all earlier ones durable too; otherwise what
//! was not synced is lost. A kill can leave either.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Store;

/// A failpoint, shared by its clones. It does nothing until [`Failpoint::after`] is called.
#[derive(Clone, Debug)]
pub struct Failpoint(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    schedule: Mutex<HaltPlan>,
    reached: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct HaltPlan {
    /// Number of commits so far.
    seen: u64,
    last: Option<(u64, bool)>,
    /// `true` once the last commit was made, or is being made.
    hit: bool,
}

/// Role of a commit: not the last, the last as it is, or the last and durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    No,
    AsItIs,
    Durable,
}

impl Default for Failpoint {
    fn default() -> Self {
        Self(Arc::new(Inner { schedule: Mutex::default(), reached: watch::Sender::new(false) }))
    }
}

impl Failpoint {
    /// Stops after the `commits`-th commit from now. `durable` makes that commit durable.
    pub fn after(&self, commits: u64, durable: bool) {
        let mut schedule = self.schedule();
        schedule.last = Some((schedule.seen.saturating_add(commits), durable));
    }

    /// Returns the number of commits counted.
    pub fn seen(&self) -> u64 {
        self.schedule().seen
    }

    /// Returns when the store has stopped.
    pub async fn reached(&self) {
        let mut reached = self.0.reached.subscribe();
        let _sender_lives_as_long = reached.wait_for(|reached| *reached).await;
    }

    fn schedule(&self) -> MutexGuard<'_, HaltPlan> {
        self.0.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a commit. The caller holds the writer's lock.
    pub(super) fn count(&self) -> Hit {
        let mut schedule = self.schedule();
        schedule.seen = schedule.seen.saturating_add(1);
        match schedule.last {
            Some((last, durable)) if last <= schedule.seen => {
                schedule.hit = true;
                if durable { Hit::Durable } else { Hit::AsItIs }
            }
            _ => Hit::No,
        }
    }

    /// Returns whether the last commit was made, or is being made.
    pub(super) fn is_hit(&self) -> bool {
        self.schedule().hit
    }

    /// Reports that the store has stopped. Never returns.
    pub(super) async fn hang(&self) {
        self.0.reached.send_replace(true);
        std::future::pending().await
    }
}

impl Store {
    /// Installs a failpoint. Only the first call counts.
    pub fn set_failpoint(&self, failpoint: Failpoint) {
        let _one_is_followed_already = self.inner.failpoint.set(failpoint);
    }
}
