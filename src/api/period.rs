//! Reads times: RFC 3339, a date, or a span back from now. Days are UTC.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::error::Error;

const DAY: u64 = 86_400;

/// Reads the start of a period, in Unix seconds. `None` means from the beginning.
pub(super) fn since(text: &str, now: u64) -> Result<Option<u64>, Error> {
    let back = match text.trim() {
        "all" => return Ok(None),
        "24h" => DAY,
        "7d" => 7 * DAY,
        "30d" => 30 * DAY,
        other => return point(other, "since", 0).map(Some),
    };
    Ok(Some(now.saturating_sub(back)))
}

/// Reads the end of a period, in Unix seconds; a date means its end. `None` means until now.
pub(super) fn until(text: &str) -> Result<Option<u64>, Error> {
    match text.trim() {
        "all" => Ok(None),
        other => point(other, "until", DAY).map(Some),
    }
}

fn point(text: &str, field: &str, date_adds: u64) -> Result<u64, Error> {
    let invalid = || {
        Error::invalid(
            field,
            format!("{field} is neither RFC 3339, a date, nor one of 24h, 7d, 30d, all."),
        )
    };
    if text.len() > 64 {
        return Err(invalid());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return u64::try_from(time.as_second()).map_err(|_| invalid());
    }
    let date: Date = text.parse().map_err(|_| invalid())?;
    let start = date.to_zoned(TimeZone::UTC).map_err(|_| invalid())?.timestamp().as_second();
    Ok(u64::try_from(start).map_err(|_| invalid())?.saturating_add(date_adds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_callers_write_them() {
        assert_eq!(since("all", 100), Ok(None));
        assert_eq!(since("24h", 100_000), Ok(Some(13_600)));
        assert_eq!(since("1970-01-02", 0), Ok(Some(86_400)));
        assert_eq!(until("1970-01-02"), Ok(Some(172_800)));
        assert_eq!(until("1970-01-02T00:00:10Z"), Ok(Some(86_410)));
        assert!(since("yesterday", 0).is_err());
        assert!(since(&"9".repeat(1000), 0).is_err());
    }
}
