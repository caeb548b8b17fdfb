//! The wall clock: the only place that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Unix seconds now; 0 when the clock stands before 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// RFC 3339 in UTC. `None` when the time is out of the calendar.
pub fn rfc3339(seconds: u64) -> Option<String> {
    let seconds = i64::try_from(seconds).ok()?;
    Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}
