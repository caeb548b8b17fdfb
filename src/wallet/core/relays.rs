//! The open wallet's Nostr state: keys, settings, and what was last seen of each relay.
//!
//! Never sends anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::mint::MintAddress;
use crate::nostr::{Identity, Relays};

/// Timeout of one query to one relay.
pub(crate) const QUESTION: Duration = Duration::from_secs(12);
/// Maximum number of relays that are written to.
pub(crate) const MOST_RELAYS: usize = 10;

/// Nostr keys, relay pools and settings.
#[derive(Clone)]
pub struct NostrParts {
    /// The wallet's Nostr key.
    pub identity: Identity,
    /// The key that signs the mint list backup (NUT-27); not linked to the wallet's Nostr key.
    pub mints_identity: Identity,
    /// Pool for the owner's relays, which may learn the wallet's key (NIP-42).
    pub relays: Arc<Relays>,
    /// Pool for other relays; never authenticates.
    pub anonymous_relays: Arc<Relays>,
    /// URLs of the owner's relays; never empty.
    pub urls: Vec<String>,
    /// `true` if the wallet publishes that it accepts nutzaps.
    pub nutzaps: bool,
    /// Least amount worth redeeming as a nutzap, in sats.
    pub nutzap_min_sats: u64,
    /// Time at which other devices' proofs are adopted.
    pub adopt_when: AdoptPolicy,
    /// Nutzap key derived from the mnemonic, in hex; used if the wallet event names none.
    pub nutzap_key: crate::model::secret::Secret,
}

impl std::fmt::Debug for NostrParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nostr").field("relays", &self.urls.len()).finish_non_exhaustive()
    }
}

/// Policy for adopting other devices' proofs, that is, swapping them for our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptPolicy {
    /// Adopts when a payment needs them.
    OnShortfall,
    /// Also adopts on `sync`.
    OnSync,
    /// Also adopts as soon as they are seen.
    AtOnce,
}

/// Nostr state of the open wallet.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) parts: NostrParts,
    /// Each lock allows one run at a time: of queueing, publishing and syncing.
    pub(crate) queueing: tokio::sync::Mutex<()>,
    pub(crate) publishing: tokio::sync::Mutex<()>,
    pub(crate) syncing: tokio::sync::Mutex<()>,
    pub(crate) seen: Mutex<Sightings>,
    /// Wakes at news of proofs (`news`) or nutzaps (`nutzap_news`).
    pub(crate) news: tokio::sync::Notify,
    pub(crate) nutzap_news: tokio::sync::Notify,
}

/// Latest observations of the relays, in memory only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sightings {
    /// Latest status by relay URL.
    pub(crate) relays: BTreeMap<String, Sight>,
    /// `true` if the last pull read all of the owner's relays completely.
    pub(crate) whole: bool,
    /// `true` if a pull has ended since the start.
    pub(crate) pulled: bool,
    /// Unix seconds of the last adoption of everything that other devices hold.
    pub(crate) claimed_at: Option<u64>,
    /// Unix seconds of the last repair of lost deletions.
    pub(crate) deleted_again_at: Option<u64>,
    /// `true` if our wallet event must not be overwritten: what was read may lack keys.
    pub(crate) read_only: bool,
    /// Relays outside the owner's list that may hold this key's wallet. Until the owner adds them,
    /// no wallet event is written.
    pub(crate) elsewhere: Vec<String>,
    /// `true` if another program emptied the public nutzap list (NIP-61); nutzaps then stay off.
    pub(crate) nutzaps_off: bool,
    /// Relays whose events about the wallet were read completely in the last sync, and stored.
    pub(crate) about_read: BTreeSet<String>,
    /// Our deposits that the mint reports as issued although no proofs are here, with the Unix
    /// seconds of the first report.
    pub(crate) issued_at: BTreeMap<String, u64>,
    /// `true` if the mint list was stored on every relay since the start.
    pub(crate) mints_kept: bool,
    /// Queue counts after the last publish pass.
    pub(crate) queue: Counts,
    /// Mints being queried, the earliest first; a sync waits for them.
    pub(crate) asking: Vec<MintAddress>,
}

impl Sightings {
    /// Returns the reason why the wallet does not publish about itself, if any.
    pub(crate) fn in_the_way(&self) -> Option<InTheWay> {
        InTheWay::of(self.elsewhere.clone(), self.nutzaps_off)
    }
}

/// Reason why the wallet does not publish its wallet event and nutzap list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InTheWay {
    /// Relays outside the owner's list may hold this key's wallet. Not cleaned, never empty.
    Elsewhere(Vec<String>),
    /// Another program emptied this key's public nutzap list.
    NutzapsOff,
}

impl InTheWay {
    pub(crate) fn of(elsewhere: Vec<String>, nutzaps_off: bool) -> Option<Self> {
        if elsewhere.is_empty() {
            nutzaps_off.then_some(Self::NutzapsOff)
        } else {
            Some(Self::Elsewhere(elsewhere))
        }
    }
}

/// Numbers of queued events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Events in the queue.
    pub(crate) all: u64,
    /// Events on too few relays.
    pub(crate) unpublished: u64,
    /// Events still to be sent, by relay of the owner.
    pub(crate) at: BTreeMap<String, u64>,
}

/// Status of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Read completely; nothing is missing on it.
    Whole,
    /// Read in part.
    Cut,
    /// It did not answer.
    Away,
    /// It lacks events it should hold; they will be sent again.
    Behind,
}

/// Guard of a query to a mint.
pub(crate) struct Asking<'l>(&'l Link, MintAddress);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut seen = self.0.seen();
        if let Some(place) = seen.asking.iter().position(|mint| *mint == self.1) {
            seen.asking.remove(place);
        }
    }
}

impl Link {
    pub(crate) fn new(parts: NostrParts) -> Self {
        Self {
            parts,
            queueing: Default::default(),
            publishing: Default::default(),
            syncing: Default::default(),
            seen: Default::default(),
            news: Default::default(),
            nutzap_news: Default::default(),
        }
    }

    /// Waits for the sync lock.
    pub(crate) async fn syncing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.syncing.lock().await
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Sightings> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks relays as missing events.
    pub(crate) fn behind(&self, urls: &BTreeSet<String>) {
        let mut seen = self.seen();
        seen.relays.extend(urls.iter().map(|url| (url.clone(), Sight::Behind)));
    }

    /// Marks a mint as being queried until the guard is dropped; a sync waits for it.
    pub(crate) fn asking(&self, mint: &MintAddress) -> Asking<'_> {
        self.seen().asking.push(mint.clone());
        Asking(self, mint.clone())
    }

    /// Returns `true` for one of the owner's relays.
    pub(crate) fn is_own(&self, url: &str) -> bool {
        self.parts.urls.iter().any(|own| plain_url(own) == url)
    }

    /// Returns whether any of the owner's relays answered in the last pull.
    pub(crate) fn is_online(&self) -> bool {
        self.seen().relays.values().any(|sight| *sight != Sight::Away)
    }

    /// Returns how many of the owner's relays an event needs to count as published.
    pub(crate) fn quorum(&self) -> usize {
        self.parts.urls.len().div_ceil(2).max(1)
    }
}

/// Normalizes a relay URL for comparison.
pub(crate) fn plain_url(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}
