//! A wallet's folder, written as its owner would write it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use toml_edit::{Array, DocumentMut, value};

use crate::Outcome;

/// A folder that is gone when dropped.
#[derive(Debug)]
pub(crate) struct Home(TempDir);

impl Home {
    /// Trusts the mint as a test mint, and allows its plain address. `limits` are sats in one
    /// payment and in a day; `None`: the usual.
    pub(crate) fn at(mint: &str, limits: Option<(i64, i64)>) -> Outcome<Self> {
        let home = Self(tempfile::Builder::new().prefix("nutpurse-sandbox-").tempdir()?);
        let mut config: DocumentMut =
            include_str!("../../src/config/default_config.toml").parse()?;
        let section = |config: &mut DocumentMut, table: &str, key: &str, item| -> Outcome {
            let found = config
                .get_mut(table)
                .and_then(|table| table.get_mut(key))
                .ok_or("the default settings lack a key")?;
            *found = item;
            Ok(())
        };
        if let Some((per_payment, per_day)) = limits {
            section(&mut config, "limits", "per_payment_sats", value(per_payment))?;
            section(&mut config, "limits", "per_day_sats", value(per_day))?;
        }
        section(&mut config, "network", "allow", value(Array::from_iter([mint])))?;
        home.write("config.toml", &config.to_string())?;
        home.write("mints.toml", &format!("[[mint]]\nurl = \"{mint}\"\ntest = true\n"))?;
        Ok(home)
    }

    fn write(&self, name: &str, text: &str) -> Outcome {
        let file = self.path().join(name);
        fs::write(&file, text)?;
        #[cfg(unix)]
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
