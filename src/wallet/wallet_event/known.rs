//! This device's knowledge of the wallet's own events: mints, relays and nutzap keys (NIP-60, kind
//! 17375, encrypted), and the nutzap list (NIP-61, kind 10019, public).
//!
//! Events read from relays are stored before anything is written there; keys are never forgotten.
//! `tell` does the writing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::mint::MintAddress;
use crate::model::secret::Secret;
use crate::nostr::nutzap_key::NutzapKey;
use crate::nostr::{Event, nutzap_info, wallet_event};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{InTheWay, Link};
use crate::wallet::wallet_event::elsewhere::elsewhere;

/// Row name in the store.
pub(crate) const ROW: &str = "about";

/// Contents of the wallet's events, over all devices.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct About {
    /// All nutzap keys ever seen or made, in hex, the current one first; only grows.
    pub(crate) privkeys: Vec<Secret>,
    /// The newest wallet event.
    pub(crate) wallet: Option<EventVersion>,
    /// The newest nutzap list.
    pub(crate) info: Option<EventVersion>,
    /// Keys, mints, relays and other entries of the newest wallet event.
    #[serde(default)]
    pub(crate) newest_keys: Vec<Secret>,
    pub(crate) mints: Vec<String>,
    pub(crate) relays: Vec<String>,
    pub(crate) others: Vec<Vec<String>>,
    /// Mints, relays and key of the newest nutzap list.
    pub(crate) info_mints: Vec<(String, Vec<String>)>,
    pub(crate) info_relays: Vec<String>,
    pub(crate) info_key: Option<String>,
    /// `true` if the list's key lacks its first byte: proofs locked to it as written stay locked.
    pub(crate) info_bare: bool,
    /// Mints and relays that this device put on the list, normalized.
    pub(crate) added_mints: BTreeSet<String>,
    pub(crate) added_relays: BTreeSet<String>,
    /// Mints that this device ever listed as test mints.
    pub(crate) test_mints: BTreeSet<String>,
    /// `true` if the owner turned nutzaps off here since the list was last written.
    pub(crate) turned_off: bool,
    /// `true` if this wallet wrote the wallet event, so its knowledge is complete.
    pub(crate) written: bool,
    /// `true` if no relay shows the newest event any more.
    #[serde(skip)]
    pub(crate) wallet_lost: bool,
    #[serde(skip)]
    pub(crate) info_lost: bool,
}

/// Order of replaceable events of one kind: the later one wins; at equal times, the lower id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventVersion {
    pub(crate) at: u64,
    pub(crate) id: String,
}

impl EventVersion {
    pub(crate) fn of(event: &Event) -> Self {
        Self { at: event.created_at(), id: event.id().to_owned() }
    }

    pub(crate) fn beats(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| {
            (self.at, std::cmp::Reverse(&self.id)) > (other.at, std::cmp::Reverse(&other.id))
        })
    }
}

impl std::fmt::Debug for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("About").field("keys", &self.privkeys.len()).finish_non_exhaustive()
    }
}

impl About {
    /// Merges what was read, keeping keys from any event for good. Returns the ids of our own
    /// wallet events that cannot be read.
    fn learn(&mut self, link: &Link, events: &[Event]) -> BTreeSet<String> {
        let identity = &link.parts.identity;
        let mut unreadable = BTreeSet::new();
        for event in events {
            if event.kind() == nutzap_info::KIND {
                if event.author() == identity.public_key()
                    && EventVersion::of(event).beats(self.info.as_ref())
                    && let Ok(info) = nutzap_info::read(event)
                {
                    (self.info, self.info_key) = (Some(EventVersion::of(event)), info.pubkey);
                    (self.info_mints, self.info_relays) = (info.mints, info.relays);
                    self.info_bare = nutzap_info::has_x_only_key(event);
                }
                continue;
            }
            let Ok(wallet) = wallet_event::read(identity, event) else {
                // Our event in an unknown form; replacing it would lose its contents.
                if event.kind() == wallet_event::KIND && event.author() == identity.public_key() {
                    unreadable.insert(event.id().to_owned());
                }
                continue;
            };
            let newest = event.kind() == wallet_event::KIND
                && EventVersion::of(event).beats(self.wallet.as_ref());
            if newest {
                self.wallet = Some(EventVersion::of(event));
                (self.mints, self.relays, self.others) =
                    (wallet.mints, wallet.relays, wallet.others);
                self.newest_keys.clone_from(&wallet.privkeys);
            }
            self.keep_keys(wallet.privkeys, newest);
        }
        unreadable
    }

    fn keep_keys(&mut self, keys: Vec<Secret>, first: bool) {
        let known = std::mem::take(&mut self.privkeys);
        let order = if first { [keys, known] } else { [known, keys] };
        for key in order.into_iter().flatten() {
            if !self.privkeys.contains(&key) {
                self.privkeys.push(key);
            }
        }
    }

    /// Returns all nutzap keys.
    pub(crate) fn keys(&self) -> Vec<NutzapKey> {
        self.privkeys.iter().filter_map(|key| NutzapKey::from_secret(key).ok()).collect()
    }

    /// Returns the mints of the nutzap list, normalized.
    pub(crate) fn nutzap_mints(&self) -> Vec<MintAddress> {
        self.info_mints.iter().filter_map(|(mint, _)| mint.parse().ok()).collect()
    }

    /// Returns the mints of the nutzap list as written.
    pub(crate) fn nutzap_mints_as_written(&self) -> impl Iterator<Item = &str> {
        self.info_mints.iter().map(|(mint, _)| mint.as_str())
    }

    /// Returns the relays of the nutzap list.
    pub(crate) fn nutzap_relays(&self) -> &[String] {
        &self.info_relays
    }

    /// Returns the relays that other programs' events name for this wallet.
    pub(crate) fn named_relays(&self) -> impl Iterator<Item = &String> {
        self.info_relays.iter().chain(self.relays.iter().filter(|_| !self.written))
    }

    /// Returns whether another program emptied the nutzap list, so the wallet accepts no nutzaps.
    pub(crate) fn is_off(&self) -> bool {
        self.info.is_some()
            && self.info_mints.is_empty()
            && self.info_key.is_none()
            && !self.turned_off
    }

    /// Returns relays outside the owner's list that may hold this key's wallet. Empty once this
    /// device knows a wallet event and, with nutzaps on, a nutzap list.
    pub(crate) async fn elsewhere(&self, link: &Link, events: &[Event]) -> Vec<String> {
        let first = self.wallet.is_none() || (link.parts.nutzaps && self.info.is_none());
        if first { elsewhere(link, self.named_relays(), events).await } else { Vec::new() }
    }
}

/// Returns what is stored about the wallet's events.
pub(crate) async fn about(core: &Core) -> Result<About, Failure> {
    Ok(core.store.nostr_state(ROW).await?.unwrap_or_default())
}

/// Stores what relays show about the wallet, durably: keys are stored before anything is written.
/// Returns the ids of our own wallet events that cannot be read.
pub(crate) async fn learn_about(
    core: &Core,
    link: &Link,
    events: &[Event],
) -> Result<BTreeSet<String>, Failure> {
    let mut about = about(core).await?;
    let unreadable = about.learn(link, events);
    core.store.set_nostr_state(ROW, about).await?;
    Ok(unreadable)
}

/// Returns the reason why the wallet would not publish, from what relays show now. Writes nothing.
pub(crate) async fn in_the_way(
    core: &Core,
    link: &Link,
    events: &[Event],
) -> Result<Option<InTheWay>, Failure> {
    let mut about = about(core).await?;
    about.learn(link, events);
    about.turned_off |= !link.parts.nutzaps;
    Ok(InTheWay::of(about.elsewhere(link, events).await, about.is_off()))
}
