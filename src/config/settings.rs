//! The owner's settings: what was typed in `config.toml` and `mints.toml`, checked into values that
//! need no more checking.
//!
//! A missing file is created from the defaults compiled in. A file that is there and cannot be used
//! is an error: nothing falls back to a default, and a limit that is left out is an error too, so
//! that half a file never loosens.

use std::fmt;

use super::config_file;
use super::files::{self, Access, FileError};
use super::home::{Home, HomeError};
use super::mints;
use super::parse::Source;
use crate::policy::Policy;

pub use super::config_file::{AdoptWhen, Daemon, Network, Nostr};
pub use super::parse::hundredths;

/// The name of the file of limits.
pub const CONFIG_FILE: &str = "config.toml";
/// The name of the file of mints.
pub const MINTS_FILE: &str = "mints.toml";

/// A settings file cannot be used. Spending stops until a person mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The file's plain name, or the home folder's path.
    pub file: String,
    /// Counted from 1. `None` where the whole file is meant.
    pub line: Option<usize>,
    /// The key at fault, where one is known.
    pub key: Option<String>,
    /// What is wrong, in words.
    pub reason: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ", {key}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for SettingsError {}

/// Everything the owner has settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Limits, pause, agents, mints.
    pub policy: Policy,
    /// How to reach the outside.
    pub network: Network,
    /// Relays.
    pub nostr: Nostr,
    /// The process that keeps the wallet.
    pub daemon: Daemon,
    /// The fingerprint of the policy that a person confirmed last. `None`: none was.
    pub accepted: Option<String>,
}

/// The text of the settings files when they were last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastRead(Option<Texts>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) config: String,
    pub(super) mints: String,
    pub(super) accepted: Option<String>,
}

impl Settings {
    /// Reads the settings; creates the folder and the files that are missing. Cheap: three small
    /// files.
    ///
    /// # Errors
    /// When the folder cannot be used, or a file is there and cannot be.
    pub fn load(home: &Home) -> Result<Self, SettingsError> {
        Texts::read_or_create(home)?.parse()
    }

    /// As [`Self::load`]; `None` while the files are the same as `last_read`. Kind, owner and mode
    /// of the files are checked each time; a fault is told each time.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_if_changed(
        home: &Home,
        last_read: &mut LastRead,
    ) -> Result<Option<Self>, SettingsError> {
        let texts = Texts::read_or_create(home)?;
        if last_read.0.as_ref() == Some(&texts) {
            return Ok(None);
        }
        let settings = texts.parse()?;
        last_read.0 = Some(texts);
        Ok(Some(settings))
    }

    /// As [`Self::load`], but creates nothing: a file that is missing counts as its default.
    ///
    /// # Errors
    /// When a file is there and cannot be used.
    pub fn peek(home: &Home) -> Result<Self, SettingsError> {
        let config = read_existing(home, CONFIG_FILE)?
            .unwrap_or_else(|| config_file::DEFAULT_TEXT.to_owned());
        let mints =
            read_existing(home, MINTS_FILE)?.unwrap_or_else(|| mints::DEFAULT_TEXT.to_owned());
        Texts { config, mints, accepted: Self::accepted_fingerprint(home)? }.parse()
    }

    /// The fingerprint of the policy that a person confirmed last, so that a running process may
    /// follow a loosening at once ([`Policy::followed_by`]).
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn accepted_fingerprint(home: &Home) -> Result<Option<String>, SettingsError> {
        Ok(read_existing(home, "accepted")?
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty()))
    }
}

impl Texts {
    pub(super) fn read_or_create(home: &Home) -> Result<Self, SettingsError> {
        home.ensure().map_err(|error| folder_fault(home, &error))?;
        let config = read_or_create(home, CONFIG_FILE, config_file::DEFAULT_TEXT)?;
        let mints = read_or_create(home, MINTS_FILE, mints::DEFAULT_TEXT)?;
        Ok(Self { config, mints, accepted: Settings::accepted_fingerprint(home)? })
    }

    pub(super) fn parse(&self) -> Result<Settings, SettingsError> {
        let config = config_file::read(Source { file: CONFIG_FILE, text: &self.config })?;
        let mints = mints::read(Source { file: MINTS_FILE, text: &self.mints })?;
        let policy =
            Policy { limits: config.limits, paused: config.paused, agents: config.agents, mints };
        Ok(Settings {
            policy,
            network: config.network,
            nostr: config.nostr,
            daemon: config.daemon,
            accepted: self.accepted.clone(),
        })
    }
}

fn read_or_create(home: &Home, name: &'static str, default: &str) -> Result<String, SettingsError> {
    if let Some(text) = read_existing(home, name)? {
        return Ok(text);
    }
    files::create(&home.file(name), default)
        .map_err(|error| file_fault(name, &FileError::Io(error)))?;
    read_existing(home, name)?.ok_or_else(|| file_fault(name, &FileError::Missing))
}

fn read_existing(home: &Home, name: &'static str) -> Result<Option<String>, SettingsError> {
    match files::read(&home.file(name), Access::OwnerWrites) {
        Ok(text) => Ok(Some(text)),
        Err(FileError::Missing) => Ok(None),
        Err(error) => Err(file_fault(name, &error)),
    }
}

pub(super) fn file_fault(name: &str, error: &FileError) -> SettingsError {
    SettingsError { file: name.to_owned(), line: None, key: None, reason: error.to_string() }
}

fn folder_fault(home: &Home, error: &HomeError) -> SettingsError {
    SettingsError {
        file: home.path().display().to_string(),
        line: None,
        key: None,
        reason: error.to_string(),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
