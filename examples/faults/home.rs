//! A wallet's folder, written as its owner would write it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// Sats in one payment and in a day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) per_payment: u64,
    pub(crate) per_day: u64,
}

/// Wide enough for rows that are not about limits.
pub(crate) const WIDE: Limits = Limits { per_payment: 100_000, per_day: 100_000_000 };

/// A folder below the scene's.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// A new folder that trusts these mints as test mints, and allows their plain addresses.
    pub(crate) fn make(path: PathBuf, mints: &[String], limits: Limits) -> Outcome<Self> {
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        let home = Self(path);
        home.write_mints(mints)?;
        home.write_config(mints, limits, "")?;
        Ok(home)
    }

    /// Writes `mints.toml`.
    pub(crate) fn write_mints(&self, mints: &[String]) -> Outcome {
        let text: String =
            mints.iter().map(|url| format!("[[mint]]\nurl = \"{url}\"\ntest = true\n")).collect();
        self.write("mints.toml", &text)
    }

    /// Writes `config.toml`; `more` is appended.
    pub(crate) fn write_config(&self, allow: &[String], limits: Limits, more: &str) -> Outcome {
        self.write_nostr(allow, limits, &[], more)
    }

    /// The same with relays.
    pub(crate) fn write_nostr(
        &self,
        allow: &[String],
        limits: Limits,
        relays: &[String],
        more: &str,
    ) -> Outcome {
        let quoted = |urls: &[String]| {
            urls.iter().map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ")
        };
        let Limits { per_payment, per_day } = limits;
        let text = format!(
            "[limits]\nper_payment_sats = {per_payment}\nper_day_sats = {per_day}\nmax_fee_percent = 2.0\nmax_fee_floor_sats = 5\n\
             [network]\nallow = [{}]\n[nostr]\nrelays = [{}]\nnutzaps = true\n{more}",
            quoted(allow),
            quoted(relays)
        );
        self.write("config.toml", &text)
    }

    /// Writes a file as the owner would: for nobody else.
    pub(crate) fn write(&self, name: &str, text: &str) -> Outcome {
        let file = self.0.join(name);
        fs::write(&file, text)?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}
