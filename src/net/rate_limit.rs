//! The wallet's own rate limit per origin, and the pauses that servers request.
//!
//! A burst of thirty payments with two requests each passes without waiting. Beyond the limit a
//! request waits briefly before it fails; during a pause it fails at once. Never reads a wall
//! clock.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use tokio::time::{Instant, sleep};

use super::origin::Origin;
use crate::ports::HttpFailure;

/// The burst of requests that one idle origin allows: 120.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(119);

/// The sustained requests per second to one origin: 4.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// Maximum pause that a server can request, in seconds.
pub(super) const LONGEST_PAUSE: u64 = 3600;

/// Pause after a 429 without `Retry-After`, in seconds.
const DEFAULT_PAUSE: u64 = 30;

/// The number of origins remembered before idle ones are dropped.
const REMEMBERED: usize = 256;

/// The limits and pauses of all origins.
pub(super) struct RateLimit {
    limiter: RateLimiter<Origin, HashMapStateStore<Origin>, MonotonicClock>,
    clock: MonotonicClock,
    paused: Mutex<HashMap<Origin, Instant>>,
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("origins", &self.limiter.len()).finish_non_exhaustive()
    }
}

impl RateLimit {
    /// Creates the rate limit with the wallet's own rate.
    pub(super) fn new() -> Self {
        Self::at(BURST, PER_SECOND)
    }

    fn at(burst: NonZeroU32, per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self {
            limiter: RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock),
            clock: MonotonicClock,
            paused: Mutex::default(),
        }
    }

    /// Waits until one more request may go to `origin`, for at most `patience`.
    ///
    /// # Errors
    /// [`HttpFailure::RateLimited`] if the origin is paused or the wait would exceed `patience`.
    ///
    /// # Cancel safety
    /// A dropped future does not count as a request.
    pub(super) async fn acquire(
        &self,
        origin: &Origin,
        patience: Duration,
    ) -> Result<(), HttpFailure> {
        let start = Instant::now();
        if self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
        }
        loop {
            if let Some(left) = self.pause_left(origin) {
                return too_many(left);
            }
            let Err(not_yet) = self.limiter.check_key(origin) else { return Ok(()) };
            let wait = not_yet.wait_time_from(self.clock.now());
            if start.elapsed().saturating_add(wait) > patience {
                return too_many(wait);
            }
            sleep(wait).await;
        }
    }

    /// Pauses `origin` for `seconds`, limited to 1 to [`LONGEST_PAUSE`]; `None` means 30. Never
    /// shortens a pause. Returns the limited seconds.
    pub(super) fn pause(&self, origin: &Origin, seconds: Option<u64>) -> u64 {
        let seconds = seconds.unwrap_or(DEFAULT_PAUSE).clamp(1, LONGEST_PAUSE);
        let now = Instant::now();
        let until = now + Duration::from_secs(seconds);
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.retain(|_, end| *end > now);
        let end = paused.entry(origin.clone()).or_insert(until);
        *end = until.max(*end);
        seconds
    }

    fn pause_left(&self, origin: &Origin) -> Option<Duration> {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let left = paused.get(origin)?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

fn too_many<T>(left: Duration) -> Result<T, HttpFailure> {
    let whole = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
    Err(HttpFailure::RateLimited { retry_after_seconds: whole.max(1) })
}

/// Parses `Retry-After` (RFC 9110) in seconds, at most [`LONGEST_PAUSE`]. A date is measured from
/// the answer's own `Date`. `None` if absent or unreadable.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text =
        |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(
            asked.parse().map_or(LONGEST_PAUSE, |seconds: u64| seconds.min(LONGEST_PAUSE)),
        );
    }
    let second =
        |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_second());
    let left = second(asked)?.saturating_sub(second(text(DATE)?)?);
    Some(u64::try_from(left).unwrap_or(0).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    type Tested = Result<(), Box<dyn Error>>;

    const SHORT: Duration = Duration::from_millis(50);

    fn waits(result: &Result<(), HttpFailure>) -> Option<u64> {
        match result {
            Err(HttpFailure::RateLimited { retry_after_seconds }) => Some(*retry_after_seconds),
            _ => None,
        }
    }

    #[tokio::test]
    async fn thirty_payments_in_a_row_do_not_wait() -> Tested {
        let (rate_limit, origin) = (RateLimit::new(), "https://mint.example".parse()?);
        for _ in 0..60 {
            assert_eq!(rate_limit.acquire(&origin, Duration::ZERO).await, Ok(()));
        }
        Ok(())
    }

    #[tokio::test]
    async fn over_the_rate_a_request_waits_as_long_as_it_may() -> Tested {
        let (rate_limit, origin) = (
            RateLimit::at(NonZeroU32::MIN, NonZeroU32::MIN.saturating_add(19)),
            "https://a.example".parse()?,
        );
        assert_eq!(rate_limit.acquire(&origin, Duration::ZERO).await, Ok(()));
        assert_eq!(waits(&rate_limit.acquire(&origin, Duration::ZERO).await), Some(1));
        assert_eq!(rate_limit.acquire(&origin, Duration::from_secs(5)).await, Ok(()));
        assert_eq!(rate_limit.acquire(&"https://b.example".parse()?, Duration::ZERO).await, Ok(()));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_kept_bounded_and_ends() -> Tested {
        let (rate_limit, origin) = (RateLimit::new(), "https://mint.example".parse()?);
        for (asked, kept) in
            [(None, 30), (Some(0), 30), (Some(40), 40), (Some(3601), 3600), (Some(u64::MAX), 3600)]
        {
            rate_limit.pause(&origin, asked);
            assert_eq!(waits(&rate_limit.acquire(&origin, SHORT).await), Some(kept), "{asked:?}");
        }
        assert_eq!(rate_limit.acquire(&"https://other.example".parse()?, SHORT).await, Ok(()));
        tokio::time::advance(Duration::from_secs(3599)).await;
        assert_eq!(waits(&rate_limit.acquire(&origin, SHORT).await), Some(1));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(rate_limit.acquire(&origin, SHORT).await, Ok(()));
        Ok(())
    }

    #[test]
    fn a_number_and_a_date_are_read() -> Tested {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        let table = [
            ("120", date, Some(120)),
            ("99999999999999999999999", date, Some(3600)),
            ("Wed, 21 Oct 2015 07:29:30 GMT", date, Some(90)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", date, Some(0)),
            ("Wed, 21 Oct 2015 07:29:30 GMT", "yesterday", None),
            ("soon", date, None),
            ("-5", date, None),
            ("", date, None),
        ];
        for (asked, date, seconds) in table {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.parse()?);
            headers.insert(DATE, date.parse()?);
            assert_eq!(retry_after(&headers), seconds, "{asked}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
        Ok(())
    }
}
