//! Stands still after a chosen commit, as a process stands that was killed there. For tests of
//! crashes: nothing of the wallet asks for it, and the
//! shipped program is built without it.
//!
//! What was committed without a sync is gone, unless the last commit is made durable and so carries
//! all before it along: both are ends that a kill can leave behind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Store;

/// The plan to stand still. A clone is the same plan; without [`Halt::after`] it is none.
#[derive(Clone, Debug)]
pub struct Halt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plan: Mutex<Plan>,
    reached: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Plan {
    /// Commits since the plan was made.
    seen: u64,
    last: Option<(u64, bool)>,
    /// The last commit was made.
    due: bool,
}

/// Whether a commit is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    No,
    AsItIs,
    Durable,
}

impl Default for Halt {
    fn default() -> Self {
        Self(Arc::new(Inner { plan: Mutex::default(), reached: watch::Sender::new(false) }))
    }
}

impl Halt {
    /// Stands still after the `commits`-th commit from now, of either kind. `durable` makes that
    /// one a durable one.
    pub fn after(&self, commits: u64, durable: bool) {
        let mut plan = self.plan();
        plan.last = Some((plan.seen.saturating_add(commits), durable));
    }

    /// How many commits were begun under this plan.
    pub fn seen(&self) -> u64 {
        self.plan().seen
    }

    /// Returns when the store stands still.
    pub async fn reached(&self) {
        let mut reached = self.0.reached.subscribe();
        let _sender_lives_as_long = reached.wait_for(|reached| *reached).await;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a commit. To be asked under the writer's lock.
    pub(super) fn count(&self) -> Last {
        let mut plan = self.plan();
        plan.seen = plan.seen.saturating_add(1);
        match plan.last {
            Some((last, durable)) if last <= plan.seen => {
                plan.due = true;
                if durable { Last::Durable } else { Last::AsItIs }
            }
            _ => Last::No,
        }
    }

    /// The last commit was made, or is being made.
    pub(super) fn is_due(&self) -> bool {
        self.plan().due
    }

    /// Tells that the store stands still. Never returns.
    pub(super) async fn stand_still(&self) {
        self.0.reached.send_replace(true);
        std::future::pending().await
    }
}

impl Store {
    /// Follows a plan to stand still. The first one given counts.
    pub fn follow(&self, halt: Halt) {
        let _one_is_followed_already = self.inner.halt.set(halt);
    }
}
