//! Parses TOML, checks numbers, and locates errors by file, line and key.
//!
//! Never interprets limits or mints.

use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::settings::SettingsError;
use crate::model::money::MAX_SATS;
use crate::policy::WHOLE_HUNDREDTHS;

/// A settings file as read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'static str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// Parses the text. Unknown keys are errors if `T` denies them.
    pub(super) fn typed<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        toml::from_str(self.text).map_err(|error| {
            let quoted = quoted_key(error.message()).map(str::to_owned);
            let reason = error.message().lines().next().unwrap_or("not TOML").to_owned();
            let mut fault = self.fault(error.span(), reason);
            fault.key = quoted.or(fault.key);
            fault
        })
    }

    /// An error at this place, with the key on its line.
    pub(super) fn fault(
        &self,
        span: Option<Range<usize>>,
        reason: impl Into<String>,
    ) -> SettingsError {
        let start = span.map(|span| span.start.min(self.text.len()));
        let before = start.and_then(|start| self.text.get(..start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let key = line.and_then(|line| self.text.lines().nth(line - 1)).and_then(key_of);
        SettingsError { file: self.file.to_owned(), line, key, reason: reason.into() }
    }
}

/// A number of sats, at most [`MAX_SATS`].
#[derive(Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct TypedSats(pub(super) u64);

impl TryFrom<u64> for TypedSats {
    type Error = &'static str;

    fn try_from(typed: u64) -> Result<Self, Self::Error> {
        if typed <= MAX_SATS { Ok(Self(typed)) } else { Err("more sats than exist") }
    }
}

/// A percentage, in hundredths of a percent.
#[derive(Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct TypedPercent(pub(super) u64);

impl TryFrom<f64> for TypedPercent {
    type Error = &'static str;

    fn try_from(typed: f64) -> Result<Self, Self::Error> {
        hundredths(typed).map(Self)
    }
}

/// Converts a percentage to hundredths of a percent.
///
/// # Errors
/// A message for people if it is not from 0 to 100 or has more than two decimals.
pub fn hundredths(percent: f64) -> Result<u64, &'static str> {
    let scaled = percent * 100.0;
    let nearest = scaled.round();
    if (0.0..=WHOLE_HUNDREDTHS as f64).contains(&nearest) && (scaled - nearest).abs() < 1e-6 {
        Ok(nearest as u64)
    } else {
        Err("a percentage from 0 to 100, with two decimals at most")
    }
}

/// Extracts the key of a line such as `key = value`.
fn key_of(line: &str) -> Option<String> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    (!key.is_empty() && !key.starts_with('#')).then(|| key.to_owned())
}

/// Extracts the key from a message such as "unknown field `key`, expected ...".
fn quoted_key(message: &str) -> Option<&str> {
    let rest = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("missing field `"))?;
    rest.split('`').next()
}
