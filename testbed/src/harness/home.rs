//! A wallet's folder, written as its owner writes it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Outcome, secrets};

/// The owner's limits, in sats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most that one payment may cost.
    pub per_payment: u64,
    /// The most that leaves within 24 hours.
    pub per_day: u64,
}

/// Limits for whatever is not about limits.
pub const WIDE: Limits = Limits { per_payment: 100_000, per_day: 100_000_000 };

/// The owner's `mints.toml` and `config.toml`. The default trusts no mint.
#[derive(Clone, Debug)]
pub struct Settings {
    mints: Vec<(String, bool)>,
    allow: Vec<String>,
    relays: Vec<String>,
    limits: Limits,
    more: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mints: Vec::new(),
            allow: Vec::new(),
            relays: Vec::new(),
            limits: WIDE,
            more: String::new(),
        }
    }
}

impl Settings {
    /// Trusts these mints as test mints, with wide limits, without relays.
    pub fn at(mints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        mints.into_iter().fold(Self::default(), |settings, url| settings.mint(url, true))
    }

    /// Trusts one more mint, as a test mint or for real money.
    #[must_use]
    pub fn mint(mut self, url: impl Into<String>, is_test: bool) -> Self {
        self.mints.push((url.into(), is_test));
        self
    }

    /// Allows plain or private addresses beside those of the mints and relays.
    #[must_use]
    pub fn allow(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allow.extend(urls.into_iter().map(Into::into));
        self
    }

    /// Uses these relays.
    #[must_use]
    pub fn relays(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.relays.extend(urls.into_iter().map(Into::into));
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Appends lines to `config.toml`, whose last section is `[nostr]`.
    #[must_use]
    pub fn more(self, more: &str) -> Self {
        Self { more: more.to_owned(), ..self }
    }

    fn mints_toml(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        for (url, is_test) in &self.mints {
            write!(text, "[[mint]]\nurl = \"{url}\"\ntest = {is_test}\n")?;
        }
        Ok(text)
    }

    fn config_toml(&self) -> String {
        let quoted = |urls: &mut dyn Iterator<Item = &String>| {
            urls.map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ")
        };
        let mints = self.mints.iter().map(|(url, _)| url);
        let Limits { per_payment, per_day } = self.limits;
        format!(
            "[limits]\nper_payment_sats = {per_payment}\nper_day_sats = {per_day}\n\
             max_fee_percent = 2.0\nmax_fee_floor_sats = 5\n\
             [network]\nallow = [{}]\n[nostr]\nrelays = [{}]\n{}\n",
            quoted(&mut mints.chain(&self.relays).chain(&self.allow)),
            quoted(&mut self.relays.iter()),
            self.more
        )
    }
}

/// A wallet's folder.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    /// Deletes the folder when dropped; `None` where the folder is another's.
    _folder: Option<TempDir>,
}

impl Home {
    /// Makes a temporary folder that trusts these mints as test mints, with wide limits.
    pub fn at(mints: impl IntoIterator<Item = impl Into<String>>) -> Outcome<Self> {
        Self::new(&Settings::at(mints))
    }

    /// Makes a temporary folder, which is deleted when dropped.
    pub fn new(settings: &Settings) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("nutpurse-home-").tempdir()?;
        Self { path: folder.path().to_path_buf(), _folder: Some(folder) }.begin(settings)
    }

    /// Makes the folder `path`, which stays when this is dropped.
    pub fn make(path: PathBuf, settings: &Settings) -> Outcome<Self> {
        fs::create_dir(&path)?;
        Self { path, _folder: None }.begin(settings)
    }

    fn begin(self, settings: &Settings) -> Outcome<Self> {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700))?;
        self.set(settings)?;
        Ok(self)
    }

    /// Writes both files of the settings.
    pub fn set(&self, settings: &Settings) -> Outcome {
        self.write("mints.toml", &settings.mints_toml()?)?;
        self.configure(settings)
    }

    /// Writes `config.toml` alone.
    pub fn configure(&self, settings: &Settings) -> Outcome {
        self.write("config.toml", &settings.config_toml())
    }

    /// Writes a file that only its owner can read.
    pub fn write(&self, name: &str, text: &str) -> Outcome {
        let file = self.path.join(name);
        fs::write(&file, text)?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?)
    }

    /// Reads a file; empty where there is none.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap_or_default()
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The mnemonic in `keys.toml`.
    pub fn mnemonic(&self) -> Outcome<String> {
        secrets::mnemonic(&self.read("keys.toml"))
    }
}
