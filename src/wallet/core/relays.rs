//! The wallet's link to its relays while it is open: what it needs of Nostr, and what was last seen
//! of each relay.
//!
//! Asks nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::mint::MintAddress;
use crate::nostr::{Identity, Relays};

/// How long one relay may take for one question.
pub(crate) const QUESTION: Duration = Duration::from_secs(12);
/// The most relays that are written to.
pub(crate) const MOST_RELAYS: usize = 10;

/// What Nostr needs.
#[derive(Clone)]
pub struct NostrParts {
    /// The wallet's Nostr key.
    pub identity: Identity,
    /// The key that the list of mints is kept under (NUT-27): it names nobody.
    pub mints_identity: Identity,
    /// Our own relays; they may learn who we are (NIP-42).
    pub relays: Arc<Relays>,
    /// Relays of others, asked without a name.
    pub anonymous_relays: Arc<Relays>,
    /// The owner's relays. Never empty.
    pub urls: Vec<String>,
    /// Publish where we take nutzaps.
    pub nutzaps: bool,
    /// The least that a nutzap is worth to be taken in, in sats.
    pub nutzap_min_sats: u64,
    /// When other devices' coins are adopted.
    pub adopt_when: AdoptPolicy,
    /// The nutzap key derived from the words, hex: used where the wallet's event names none.
    pub nutzap_key: crate::model::secret::Secret,
}

impl std::fmt::Debug for NostrParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nostr").field("relays", &self.urls.len()).finish_non_exhaustive()
    }
}

/// When other devices' coins are swapped for our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptPolicy {
    /// When a payment needs them.
    OnShortfall,
    /// When somebody asks for a `sync`, too.
    OnSync,
    /// Also as soon as they are seen.
    AtOnce,
}

/// Nostr while the wallet is open.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) parts: NostrParts,
    /// One round of queueing at a time; one of publishing; one pull.
    pub(crate) queueing: tokio::sync::Mutex<()>,
    pub(crate) publishing: tokio::sync::Mutex<()>,
    pub(crate) syncing: tokio::sync::Mutex<()>,
    pub(crate) seen: Mutex<Sightings>,
    /// Something new was heard: of coins, of nutzaps.
    pub(crate) news: tokio::sync::Notify,
    pub(crate) nutzap_news: tokio::sync::Notify,
}

/// What was last seen of the relays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sightings {
    /// By relay: the last word on it.
    pub(crate) relays: BTreeMap<String, Sight>,
    /// The last pull read every relay of the owner to its end.
    pub(crate) whole: bool,
    /// A pull has ended since the start.
    pub(crate) pulled: bool,
    /// When all that other devices hold was adopted, in Unix seconds.
    pub(crate) claimed_at: Option<u64>,
    /// When lost deletions were made again, in Unix seconds.
    pub(crate) deleted_again_at: Option<u64>,
    /// Our own wallet event must not be written: what was read of it may lack keys.
    pub(crate) read_only: bool,
    /// Relays that may hold this key's wallet and are not the owner's: nothing is written about it
    /// before they are.
    pub(crate) elsewhere: Vec<String>,
    /// The public list was emptied by another program: nutzaps stay off.
    pub(crate) nutzaps_off: bool,
    /// Relays whose word on the wallet itself was read to its end in the last sync, and is stored.
    pub(crate) about_read: BTreeSet<String>,
    /// Deposits of ours whose coins the mint calls issued though none is here: since when, in Unix
    /// seconds.
    pub(crate) issued_at: BTreeMap<String, u64>,
    /// The list of mints was brought to every relay since the start.
    pub(crate) mints_kept: bool,
    /// What the last round of publishing left in the queue.
    pub(crate) queue: Counts,
    /// The mints that are asked now, the one that was asked first before the others: a sync waits
    /// for them.
    pub(crate) asking: Vec<MintAddress>,
}

impl Sightings {
    /// What keeps the wallet from saying on relays what it is and takes.
    pub(crate) fn in_the_way(&self) -> Option<InTheWay> {
        InTheWay::of(self.elsewhere.clone(), self.nutzaps_off)
    }
}

/// What keeps the wallet from saying on relays what it is and takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InTheWay {
    /// These relays may hold this key's wallet, and are not the owner's; not cleaned, never empty.
    Elsewhere(Vec<String>),
    /// Another program has emptied this key's list of where it takes nutzaps.
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

/// How many events are on their way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// In the queue.
    pub(crate) all: u64,
    /// Not on enough relays.
    pub(crate) unpublished: u64,
    /// Still to go to one of the owner's relays.
    pub(crate) at: BTreeMap<String, u64>,
}

/// How a relay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Read to its end, and it holds what it should.
    Whole,
    /// Read in part.
    Cut,
    /// It did not answer.
    Away,
    /// It lacks events that it should hold; they are brought to it again.
    Behind,
}

/// A mint is asked.
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

    /// One sync at a time.
    pub(crate) async fn syncing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.syncing.lock().await
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Sightings> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These lack what they should hold.
    pub(crate) fn behind(&self, urls: &BTreeSet<String>) {
        let mut seen = self.seen();
        seen.relays.extend(urls.iter().map(|url| (url.clone(), Sight::Behind)));
    }

    /// Until this is dropped, whoever waits for a sync waits for this mint.
    pub(crate) fn asking(&self, mint: &MintAddress) -> Asking<'_> {
        self.seen().asking.push(mint.clone());
        Asking(self, mint.clone())
    }

    /// One of the owner's relays.
    pub(crate) fn is_own(&self, url: &str) -> bool {
        self.parts.urls.iter().any(|own| plain_url(own) == url)
    }

    /// Some relay of the owner's answered when all were read last.
    pub(crate) fn is_online(&self) -> bool {
        self.seen().relays.values().any(|sight| *sight != Sight::Away)
    }

    /// How many of the owner's relays must have an event before it counts as published.
    pub(crate) fn quorum(&self) -> usize {
        self.parts.urls.len().div_ceil(2).max(1)
    }
}

/// An address as it is compared.
pub(crate) fn plain_url(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}
