//! A wallet's folder, written as its owner would write it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nutpurse::testing::config;
use tempfile::TempDir;

/// A home folder. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

/// Limits wide enough for tests that are not about limits.
const WIDE: (u64, u64) = (100_000, 1_000_000);

impl Home {
    /// A home that trusts these mints, test mints or not, with wide limits.
    pub(crate) fn at(mints: &[(&str, bool)]) -> Self {
        Self::with_limits(mints, WIDE.0, WIDE.1)
    }

    /// The same with limits for one payment and for a day.
    pub(crate) fn with_limits(mints: &[(&str, bool)], per_payment: u64, per_day: u64) -> Self {
        let home = Self { folder: TempDir::new().unwrap() };
        home.write_mints(mints);
        home.write_config(mints, per_payment, per_day, "");
        home
    }

    /// The same with relays, and whatever else stands in the section of Nostr.
    pub(crate) fn with_relays(
        mints: &[(&str, bool)],
        relays: &[&str],
        allow: &[&str],
        more: &str,
    ) -> Self {
        let home = Self { folder: TempDir::new().unwrap() };
        home.write_mints(mints);
        home.write_nostr(mints, relays, allow, more);
        home
    }

    /// Writes `config.toml` with relays.
    pub(crate) fn write_nostr(
        &self,
        mints: &[(&str, bool)],
        relays: &[&str],
        allow: &[&str],
        more: &str,
    ) {
        let quoted = |urls: &mut dyn Iterator<Item = &str>| {
            urls.map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ")
        };
        let origins = quoted(
            &mut mints
                .iter()
                .map(|(url, _)| *url)
                .chain(relays.iter().copied())
                .chain(allow.iter().copied()),
        );
        let text = format!(
            "[limits]\nper_payment_sats = {}\nper_day_sats = {}\nmax_fee_percent = 2.0\nmax_fee_floor_sats = 5\n\
             [network]\nallow = [{origins}]\n[nostr]\nrelays = [{}]\n{more}\n",
            WIDE.0,
            WIDE.1,
            quoted(&mut relays.iter().copied()),
        );
        self.write("config.toml", &text);
    }

    /// Writes `mints.toml`.
    pub(crate) fn write_mints(&self, mints: &[(&str, bool)]) {
        let mut text = String::new();
        for (url, test) in mints {
            write!(text, "[[mint]]\nurl = \"{url}\"\ntest = {test}\n").unwrap();
        }
        self.write("mints.toml", &text);
    }

    /// Writes `config.toml`.
    pub(crate) fn write_config(
        &self,
        mints: &[(&str, bool)],
        per_payment: u64,
        per_day: u64,
        more: &str,
    ) {
        let allow: Vec<String> = mints.iter().map(|(url, _)| format!("\"{url}\"")).collect();
        let text = format!(
            "[limits]\nper_payment_sats = {per_payment}\nper_day_sats = {per_day}\nmax_fee_percent = 2.0\nmax_fee_floor_sats = 5\n\
             [network]\nallow = [{}]\n[nostr]\nrelays = []\nnutzaps = true\n{more}",
            allow.join(", ")
        );
        self.write("config.toml", &text);
    }

    /// The folder as the program sees it.
    pub(crate) fn owned(&self) -> config::Home {
        config::Home::resolve(Some(self.path()), &config::Environment::default()).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}
