//! The moment by which a call of a tool is answered. It is made once, where the call comes in, and
//! is handed down to everything that the call waits for.

use std::future::Future;

use tokio::time::{Duration, Instant, timeout_at};

/// The longest any call waits, in all.
const LONGEST_WAIT: Duration = Duration::from_secs(45);

/// When a call answers, whatever it knows by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of a call that begins now: 45 s.
    pub fn of_a_call() -> Self {
        Self(Instant::now() + LONGEST_WAIT)
    }

    /// This moment, or `wait` from now if that is earlier.
    pub(crate) fn within(self, wait: Duration) -> Self {
        Self(self.0.min(Instant::now() + wait))
    }

    /// The moment that is `by` earlier.
    pub(crate) fn sooner(self, by: Duration) -> Self {
        Self(self.0.checked_sub(by).unwrap_or(self.0))
    }

    /// The moment that is `by` later.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0 + by)
    }

    /// The time from now to this moment; zero once it has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The moment has passed.
    pub(crate) fn is_past(self) -> bool {
        self.left().is_zero()
    }

    /// Waits for `work`. `None`: it was not done in time, and is dropped.
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
