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
pub(in crate::wallet) const QUESTION: Duration = Duration::from_secs(12);
/// The most relays that are written to.
pub(in crate::wallet) const MOST_RELAYS: usize = 10;

/// What Nostr needs.
#[derive(Clone)]
pub struct Nostr {
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
    /// When other devices' coins are claimed.
    pub claims: Claims,
    /// The nutzap key derived from the words, hex: used where the wallet's event names none.
    pub nutzap_key: crate::model::secret::Secret,
}

impl std::fmt::Debug for Nostr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nostr").field("relays", &self.urls.len()).finish_non_exhaustive()
    }
}

/// When other devices' coins are swapped for our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// When a payment needs them.
    OnShortfall,
    /// When somebody asks for a `sync`, too.
    OnSync,
    /// Also as soon as they are seen.
    AtOnce,
}

/// Nostr while the wallet is open.
#[derive(Debug)]
pub(in crate::wallet) struct Link {
    pub(in crate::wallet) parts: Nostr,
    /// One mirror round at a time; one publishing round; one pull.
    pub(in crate::wallet) mirroring: tokio::sync::Mutex<()>,
    pub(in crate::wallet) flushing: tokio::sync::Mutex<()>,
    pub(in crate::wallet) syncing: tokio::sync::Mutex<()>,
    pub(in crate::wallet) seen: Mutex<Sightings>,
    /// Something new was heard: of coins, of nutzaps.
    pub(in crate::wallet) news: tokio::sync::Notify,
    pub(in crate::wallet) nutzap_news: tokio::sync::Notify,
}

/// What was last seen of the relays.
#[derive(Clone, Debug, Default)]
pub(in crate::wallet) struct Sightings {
    /// By relay: the last word on it.
    pub(in crate::wallet) relays: BTreeMap<String, Sight>,
    /// The last pull read every relay of the owner to its end.
    pub(in crate::wallet) whole: bool,
    /// A pull has ended since the start.
    pub(in crate::wallet) pulled: bool,
    /// When all that other devices hold was claimed, in Unix seconds.
    pub(in crate::wallet) claimed_at: Option<u64>,
    /// When lost deletions were made again, in Unix seconds.
    pub(in crate::wallet) deleted_again_at: Option<u64>,
    /// Our own wallet event must not be written: what was read of it may lack keys.
    pub(in crate::wallet) read_only: bool,
    /// Relays that may hold this key's wallet and are not the owner's: nothing is written about it
    /// before they are.
    pub(in crate::wallet) elsewhere: Vec<String>,
    /// The public list was emptied by another program: nutzaps stay off.
    pub(in crate::wallet) nutzaps_off: bool,
    /// Relays whose word on the wallet itself was read to its end in the last sync, and is stored.
    pub(in crate::wallet) about_read: BTreeSet<String>,
    /// Deposits of ours whose coins the mint calls issued though none is here: since when, in Unix
    /// seconds.
    pub(in crate::wallet) issued_at: BTreeMap<String, u64>,
    /// The list of mints was brought to every relay since the start.
    pub(in crate::wallet) mints_kept: bool,
    /// What the last round of publishing left in the queue.
    pub(in crate::wallet) queue: Counts,
    /// The mints that are asked now, the one that was asked first before the others: a sync waits
    /// for them.
    pub(in crate::wallet) asking: Vec<MintAddress>,
}

impl Sightings {
    /// What keeps the wallet from saying on relays what it is and takes.
    pub(in crate::wallet) fn in_the_way(&self) -> Option<InTheWay> {
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
    pub(in crate::wallet) fn of(elsewhere: Vec<String>, nutzaps_off: bool) -> Option<Self> {
        if elsewhere.is_empty() {
            nutzaps_off.then_some(Self::NutzapsOff)
        } else {
            Some(Self::Elsewhere(elsewhere))
        }
    }
}

/// How many events are on their way.
#[derive(Clone, Debug, Default)]
pub(in crate::wallet) struct Counts {
    /// In the queue.
    pub(in crate::wallet) all: u64,
    /// Not on enough relays.
    pub(in crate::wallet) unpublished: u64,
    /// Still to go to one of the owner's relays.
    pub(in crate::wallet) at: BTreeMap<String, u64>,
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
pub(in crate::wallet) struct Asking<'l>(&'l Link, MintAddress);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut seen = self.0.seen();
        if let Some(place) = seen.asking.iter().position(|mint| *mint == self.1) {
            seen.asking.remove(place);
        }
    }
}

impl Link {
    pub(in crate::wallet) fn new(parts: Nostr) -> Self {
        Self {
            parts,
            mirroring: Default::default(),
            flushing: Default::default(),
            syncing: Default::default(),
            seen: Default::default(),
            news: Default::default(),
            nutzap_news: Default::default(),
        }
    }

    /// One sync at a time.
    pub(in crate::wallet) async fn syncing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.syncing.lock().await
    }

    pub(in crate::wallet) fn seen(&self) -> MutexGuard<'_, Sightings> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These lack what they should hold.
    pub(in crate::wallet) fn behind(&self, urls: &BTreeSet<String>) {
        let mut seen = self.seen();
        seen.relays.extend(urls.iter().map(|url| (url.clone(), Sight::Behind)));
    }

    /// Until this is dropped, whoever waits for a sync waits for this mint.
    pub(in crate::wallet) fn asking(&self, mint: &MintAddress) -> Asking<'_> {
        self.seen().asking.push(mint.clone());
        Asking(self, mint.clone())
    }

    /// One of the owner's relays.
    pub(in crate::wallet) fn is_own(&self, url: &str) -> bool {
        self.parts.urls.iter().any(|own| plain_url(own) == url)
    }

    /// Some relay of the owner's answered when all were read last.
    pub(in crate::wallet) fn is_online(&self) -> bool {
        self.seen().relays.values().any(|sight| *sight != Sight::Away)
    }

    /// How many of the owner's relays must have an event before it counts as published.
    pub(in crate::wallet) fn quorum(&self) -> usize {
        self.parts.urls.len().div_ceil(2).max(1)
    }
}

/// An address as it is compared.
pub(in crate::wallet) fn plain_url(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}
