//! `relays`: where the wallet's copy on Nostr lies. A relay that is added learns that the wallet is
//! there and when it changes, never what is in it: so a person confirms it, after the relay has
//! been tried and its limits were shown. Changes hold from the next start of the process that keeps
//! the wallet.

use super::{Owner, OwnerError};
use crate::config::Settings;
use crate::config::edit::Edit;

const NEXT_START: &str =
    "It holds from the next start of the wallet's process: `nutpurse stop` ends the one that runs.";

impl Owner<'_> {
    /// With `check`, each is tried.
    pub(super) fn list_relays(&mut self, check: bool) -> Result<(), OwnerError> {
        let relays = Settings::peek(self.home)?.nostr.relays;
        if relays.is_empty() {
            return self.print(&["No relays: Nostr is off.".to_owned()]);
        }
        for url in relays {
            self.print(std::slice::from_ref(&url))?;
            if check {
                let remarks = self.tried(&url);
                self.print(&remarks)?;
            }
        }
        Ok(())
    }

    /// Tries a relay and returns the findings as lines for a person.
    fn tried(&self, url: &str) -> Vec<String> {
        let remarks = self.backend.try_relay(url);
        if remarks.is_empty() {
            return vec!["  It takes, shows and deletes what this wallet writes, and names no limit that touches it.".to_owned()];
        }
        remarks.into_iter().map(|remark| format!("  {remark}")).collect()
    }

    pub(super) fn add_relay(&mut self, url: &str) -> Result<(), OwnerError> {
        let mut relays = Settings::peek(self.home)?.nostr.relays;
        if relays.iter().any(|one| same(one, url)) {
            return self.print(&["Nothing to change: it is listed already.".to_owned()]);
        }
        relays.push(url.to_owned());
        let edit = Edit::relays(self.home, &relays)?;
        let mut lines = vec![
            format!("The relay {url} will keep a copy of this wallet, sealed so that only its key opens it."),
            "It sees the wallet's public Nostr key, this computer's network address, and when the wallet changes.".to_owned(),
            "It was tried now, with a key made for that:".to_owned(),
        ];
        lines.extend(self.tried(url));
        self.confirmation.confirm(&lines)?;
        self.catch_up()?;
        edit.commit(false)?;
        self.print(&[format!("added: {url}"), NEXT_START.to_owned()])?;
        self.record(&format!("relay {url} added"), true)
    }

    pub(super) fn remove_relay(&mut self, url: &str) -> Result<(), OwnerError> {
        let mut relays = Settings::peek(self.home)?.nostr.relays;
        let before = relays.len();
        relays.retain(|one| !same(one, url));
        if relays.len() == before {
            return self.print(&["Nothing to change: it is not listed.".to_owned()]);
        }
        let edit = Edit::relays(self.home, &relays)?;
        self.catch_up()?;
        edit.commit(false)?;
        self.print(&[format!("removed: {url}; what it holds stays there"), NEXT_START.to_owned()])?;
        self.record(&format!("relay {url} removed"), false)
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}
