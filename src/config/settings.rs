//! The owner's settings: `config.toml` and `mints.toml`, parsed and checked.
//!
//! A missing file is created with the built-in defaults. A file that exists but cannot be used is
//! an error, and so is a missing limit, so an incomplete file never loosens a limit.

use std::fmt;

use super::config_file;
use super::files::{self, Access, FileError};
use super::home::{Home, HomeError};
use super::mints;
use super::parse::Source;
use crate::policy::Policy;

pub use super::config_file::{AdoptWhen, Daemon, Network, Nostr};
pub use super::parse::hundredths;

/// The name of the file with the limits.
pub const CONFIG_FILE: &str = "config.toml";
/// The name of the file with the mints.
pub const MINTS_FILE: &str = "mints.toml";

/// The error for an unusable settings file. Spending stops until a person fixes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The file's plain name, or the home folder's path.
    pub file: String,
    /// The line, counted from 1. `None` if the whole file is meant.
    pub line: Option<usize>,
    /// The key at fault. `None` if unknown.
    pub key: Option<String>,
    /// The problem, for people.
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

/// All settings of the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The limits, pause, agents and mints.
    pub policy: Policy,
    /// The network settings.
    pub network: Network,
    /// The Nostr settings.
    pub nostr: Nostr,
    /// The daemon settings.
    pub daemon: Daemon,
    /// The fingerprint of the policy that a person confirmed last. `None` if none was.
    pub accepted: Option<String>,
}

/// The texts of the settings files when they were last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastRead(Option<Texts>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) config: String,
    pub(super) mints: String,
    pub(super) accepted: Option<String>,
}

impl Settings {
    /// Reads the settings, after creating the folder and files that are missing. Cheap: three small
    /// files.
    ///
    /// # Errors
    /// If the folder or an existing file cannot be used.
    pub fn load(home: &Home) -> Result<Self, SettingsError> {
        Texts::read_or_create(home)?.parse()
    }

    /// Reads the settings as [`Self::load`] does; `None` if the files equal `last_read`. The type,
    /// owner and mode of the files are checked, and an error is reported, on every call.
    ///
    /// # Errors
    /// The same as for [`Self::load`].
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

    /// Reads the settings without creating a file; a missing file counts as its default.
    ///
    /// # Errors
    /// If an existing file cannot be used.
    pub fn peek(home: &Home) -> Result<Self, SettingsError> {
        let config = read_existing(home, CONFIG_FILE)?
            .unwrap_or_else(|| config_file::DEFAULT_TEXT.to_owned());
        let mints =
            read_existing(home, MINTS_FILE)?.unwrap_or_else(|| mints::DEFAULT_TEXT.to_owned());
        Texts { config, mints, accepted: Self::accepted_fingerprint(home)? }.parse()
    }

    /// Reads the fingerprint of the policy that a person confirmed last. A running process follows
    /// a looser policy at once only with it ([`Policy::followed_by`]).
    ///
    /// # Errors
    /// If the file exists but cannot be used.
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
mod tests;
