//! `doctor` and `stop`: how the wallet stands, and the end of the process that keeps it. Nothing here loosens or reveals; neither asks.

use super::{Owner, OwnerError, text};
use crate::config::{Identity, Settings};
use crate::model::keys::KeysPlace;

impl Owner<'_> {
    pub(super) fn stop(&mut self) -> Result<(), OwnerError> {
        let said = match self.desk.end_keeper().map_err(OwnerError::Desk)? {
            true => "The process that kept this wallet has ended. The next call of a client starts another.",
            false => "No process keeps this wallet.",
        };
        self.print(&[said.to_owned()])
    }

    /// Opens no store and contacts nobody.
    pub(super) fn doctor(&mut self) -> Result<(), OwnerError> {
        let mut lines = vec![format!("version: {}", env!("CARGO_PKG_VERSION")), format!("folder:  {}", self.home.path().display())];
        lines.extend(self.others_access());
        lines.push(match Settings::peek(self.home) {
            Ok(settings) if settings.nostr.relays.is_empty() => {
                format!("settings: in order\n{}\nnostr:   off (no relays)", text::money(&settings.policy))
            }
            Ok(settings) => {
                let relays = settings.nostr.relays.join(", ");
                format!("settings: in order\n{}\nnostr:   {relays}", text::money(&settings.policy))
            }
            Err(error) => format!("settings: cannot be used, so nothing is spent: {error}"),
        });
        lines.push(match Identity::read(self.home) {
            Ok(Some(identity)) => match identity.keys {
                Some(KeysPlace::Keyring) => "keys:    in this computer's keyring".to_owned(),
                Some(KeysPlace::File) => format!("keys:    {} (in clear)", self.home.keys().display()),
                None => "keys:    not made yet".to_owned(),
            },
            Ok(None) => "wallet:  there is none here yet".to_owned(),
            Err(error) => format!("wallet:  {error}"),
        });
        match self.desk.keeper() {
            Ok(none) if none.is_empty() => lines.push("process: none keeps this wallet now; the next client starts one".to_owned()),
            Ok(about) => lines.extend(about),
            Err(reason) => lines.push(format!("process: {reason}")),
        }
        lines.extend(self.nostr_keys());
        lines.push(text::BOUNDARY.to_owned());
        self.print(&lines)
    }

    /// What others could read or write of the folder.
    #[cfg(unix)]
    fn others_access(&self) -> Vec<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let files = std::fs::read_dir(self.home.path()).into_iter().flatten().flatten().map(|file| file.path());
        let all = std::iter::once(self.home.path().to_path_buf()).chain(files);
        let open = all.filter(|path| path.symlink_metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0));
        open.map(|path| format!("others may read or write {}: chmod go-rwx mends it", path.display())).collect()
    }

    #[cfg(not(unix))]
    fn others_access(&self) -> Vec<String> {
        Vec::new()
    }
}
