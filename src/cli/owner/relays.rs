//! `relays`: the Nostr relays that keep the wallet's encrypted copy. A new relay learns that the
//! wallet exists and when it changes, never its contents. So a person confirms it, after the
//! results of a trial are shown. Changes take effect at the daemon's next start.

use super::{Owner, OwnerError};
use crate::config::Settings;
use crate::config::edit::Edit;

const NEXT_START: &str = "It takes effect at the next start of the wallet's process; `nutpurse stop` ends the running one.";

impl Owner<'_> {
    /// Lists the relays; with `check`, tries each one.
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
            return vec!["  It stores, returns and deletes what this wallet writes, and states no limit that affects it.".to_owned()];
        }
        remarks.into_iter().map(|remark| format!("  {remark}")).collect()
    }

    pub(super) fn add_relay(&mut self, url: &str) -> Result<(), OwnerError> {
        let mut relays = Settings::peek(self.home)?.nostr.relays;
        if relays.iter().any(|one| same(one, url)) {
            return self.print(&["Nothing to change: it is already listed.".to_owned()]);
        }
        relays.push(url.to_owned());
        let edit = Edit::relays(self.home, &relays)?;
        let mut lines = vec![
            format!("The relay {url} will keep a copy of this wallet, encrypted so that only the wallet's key can read it."),
            "It sees the wallet's public Nostr key, this computer's network address, and when the wallet changes.".to_owned(),
            "It was just tested with a throwaway key:".to_owned(),
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
        self.print(&[
            format!("removed: {url}; what it already stores stays there"),
            NEXT_START.to_owned(),
        ])?;
        self.record(&format!("relay {url} removed"), false)
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}
