//! `doctor` checks the wallet, here and on its relays; `stop` ends the daemon. Neither loosens or
//! reveals anything, so neither asks for confirmation.

use serde_json::json;

use super::{Owner, OwnerError, text};
use crate::api::view::RelaysReport;
use crate::config::{Identity, Settings};
use crate::model::keys::KeysPlace;
use crate::model::text::clean;

impl Owner<'_> {
    pub(super) fn stop(&mut self) -> Result<(), OwnerError> {
        let said = match self.backend.stop_daemon().map_err(OwnerError::Backend)? {
            true => "This wallet's process has ended. The next client starts a new one.",
            false => "No process is running for this wallet.",
        };
        self.print(&[said.to_owned()])
    }

    /// Checks the wallet. With `local` it opens no store and contacts nobody; else it reads the
    /// relays and asks the mints, and changes nothing.
    pub(super) fn doctor(&mut self, local: bool) -> Result<(), OwnerError> {
        let mut lines = vec![
            format!("version: {}", env!("CARGO_PKG_VERSION")),
            format!("folder:  {}", self.home.path().display()),
        ];
        lines.extend(self.others_access());
        lines.push(match Settings::peek(self.home) {
            Ok(settings) if settings.nostr.relays.is_empty() => {
                format!(
                    "settings: in order\n{}\nnostr:   off (no relays)",
                    text::money(&settings.policy)
                )
            }
            Ok(settings) => {
                let relays = settings.nostr.relays.join(", ");
                format!("settings: in order\n{}\nnostr:   {relays}", text::money(&settings.policy))
            }
            Err(error) => format!("settings: cannot be used, so nothing can be spent: {error}"),
        });
        lines.push(match Identity::read(self.home) {
            Ok(Some(identity)) => match identity.keys {
                Some(KeysPlace::Keyring) => "keys:    in this computer's keyring".to_owned(),
                Some(KeysPlace::File) => {
                    format!("keys:    {} (unencrypted)", self.home.keys().display())
                }
                None => "keys:    not created yet".to_owned(),
            },
            Ok(None) => "wallet:  not created yet".to_owned(),
            Err(error) => format!("wallet:  {error}"),
        });
        match self.backend.daemon() {
            Ok(none) if none.is_empty() => {
                lines.push("process: not running; the next client starts it".to_owned())
            }
            Ok(about) => lines.extend(about),
            Err(reason) => lines.push(format!("process: {reason}")),
        }
        lines.extend(self.nostr_keys());
        let examined = if local { Ok(None) } else { self.backend.examine_relays() };
        if self.json {
            let (report, not_examined) =
                (examined.as_ref().ok().cloned().flatten(), examined.as_ref().err());
            let told = json!({"about": lines, "nostr": report, "nostr_not_examined": not_examined});
            return self.print(&[told.to_string()]);
        }
        match examined {
            Ok(Some(report)) => lines.extend(relays(&report)),
            Ok(None) => {}
            Err(reason) => lines.push(format!("nostr:   not examined: {reason}")),
        }
        lines.push(text::BOUNDARY.to_owned());
        self.print(&lines)
    }

    /// Reports what other users could read or write in the folder.
    #[cfg(unix)]
    fn others_access(&self) -> Vec<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let files = std::fs::read_dir(self.home.path())
            .into_iter()
            .flatten()
            .flatten()
            .map(|file| file.path());
        let all = std::iter::once(self.home.path().to_path_buf()).chain(files);
        let open = all.filter(|path| {
            path.symlink_metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
        });
        open.map(|path| {
            format!("other users may read or write {}: `chmod go-rwx` fixes it", path.display())
        })
        .collect()
    }

    #[cfg(not(unix))]
    fn others_access(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Describes the wallet's copies on relays, for a person.
fn relays(report: &RelaysReport) -> Vec<String> {
    let mut lines = vec![format!("relays of {}:", report.npub)];
    for relay in &report.relays {
        let counts = [
            (relay.lacks, "missing"),
            (relay.undeleted, "deleted but still shown"),
            (relay.refused, "refused"),
        ];
        let counts = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!(", {count} {what}"));
        let waiting = if relay.unpublished > 0 {
            format!(", {} waiting to be sent", relay.unpublished)
        } else {
            String::new()
        };
        let reason = relay
            .untrusted_reason
            .as_ref()
            .map(|words| format!(" ({})", clean(words)))
            .unwrap_or_default();
        let state = relay.state.replace('_', " ");
        lines.push(format!(
            "  {}: {state}{reason}; {} events{}{waiting}",
            relay.url,
            relay.events,
            counts.collect::<String>()
        ));
    }
    lines.push(format!(
        "on relays: {} sats; the mints call {} of them unspent and were not asked about {}; spendable here: {}",
        report.on_relays_sats, report.checked_sats, report.unchecked_sats, report.here_sats
    ));
    for one in &report.findings {
        let at = one.relay.as_ref().map(|relay| format!(" at {relay}")).unwrap_or_default();
        let sats = one.sats.map(|sats| format!(", {sats} sats")).unwrap_or_default();
        lines.push(format!("{}{at}: {}{sats}: {}", one.finding, one.count, one.what));
        lines.push(format!("  fix: {}", one.mend));
    }
    lines.extend(report.next_step.iter().map(|next| format!("next step: {next}")));
    if report.findings.is_empty() && report.next_step.is_none() {
        lines.push("Nothing is wrong there.".to_owned());
    }
    lines
}
