//! The time by which a tool call must be answered. It is created once, when the call arrives, and
//! passed to everything the call waits for.

use std::future::Future;

use tokio::time::{Duration, Instant, timeout_at};

/// Time limit for all waits of a call together.
const LONGEST_WAIT: Duration = Duration::from_secs(45);

/// The time by which a call answers with what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline of a call that begins now: in 45 s.
    pub fn of_a_call() -> Self {
        Self(Instant::now() + LONGEST_WAIT)
    }

    /// Returns this deadline, or `wait` from now if that is earlier.
    pub(crate) fn within(self, wait: Duration) -> Self {
        Self(self.0.min(Instant::now() + wait))
    }

    /// Returns a deadline that is earlier by `by`.
    pub(crate) fn sooner(self, by: Duration) -> Self {
        Self(self.0.checked_sub(by).unwrap_or(self.0))
    }

    /// Returns a deadline that is later by `by`.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0 + by)
    }

    /// Returns the time left; zero once the deadline has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(crate) fn is_past(self) -> bool {
        self.left().is_zero()
    }

    /// Waits for `work` until the deadline. `None`: `work` was not done in time and was dropped.
    pub async fn wait<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.0, work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_wait_of_a_call_ends_by_its_deadline() {
        let call = Deadline::of_a_call();
        assert_eq!(
            call.within(Duration::from_secs(5)).wait(std::future::pending::<()>()).await,
            None
        );
        assert_eq!(call.left(), Duration::from_secs(40));
        assert_eq!(call.within(Duration::from_secs(60)), call);
        assert_eq!(call.sooner(Duration::from_secs(1)).left(), Duration::from_secs(39));
        assert_eq!(call.wait(std::future::pending::<()>()).await, None);
        assert!(call.is_past() && !call.later(Duration::from_secs(1)).is_past());
        assert_eq!(call.wait(async { 7 }).await, Some(7), "what is done at once is done");
    }
}
