//! This wallet on relays (NIP-60, NIP-61): what goes out, what comes in, and the claiming of coins
//! that other devices left there.
//!
//! The mint is the truth, the store the memory, relays are copies: nothing here makes a payment
//! wait, and nothing that a relay shows, hides or deletes gives up a coin. Never makes value leave:
//! a claim keeps everything.
//!
//! ```text
//!  a coin changes -> mirror (plan, sign, queue) -> flush (publish, count acknowledgements)
//!  sync: mirror -> flush -> pull (page every relay, store what is said of the wallet) -> verify (NUT-07) -> about (17375, 10019)
//!        -> mirror -> flush
//! ```

mod about;
mod backups;
mod claim;
mod doctor;
mod elsewhere;
pub(super) mod find;
mod findings;
mod flush;
mod gather;
mod halve;
mod listen;
mod locks;
pub(super) mod mirror;
mod nutzaps;
pub(super) mod outgoing_nutzap;
mod plan;
mod prune;
mod pull;
mod quotes;
mod recommended;
mod redeem;
mod redeemed;
mod resend;
pub mod trial;
mod unpublished;
mod verify;

pub use doctor::{RelayStanding, RelayState, RelaysReport};
pub use findings::{Finding, FindingKind};
pub use listen::News;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::mint::MintAddress;
use crate::nostr::{Identity, Relays};

pub(super) use self::quotes::Elsewhere;

/// How long one relay may take for one question.
pub(super) const QUESTION: Duration = Duration::from_secs(12);
/// The most relays that are written to.
pub(super) const MOST_RELAYS: usize = 10;

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
    pub strangers: Arc<Relays>,
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
pub(super) struct Link {
    pub(super) parts: Nostr,
    /// One mirror round at a time; one publishing round; one pull.
    mirroring: tokio::sync::Mutex<()>,
    flushing: tokio::sync::Mutex<()>,
    syncing: tokio::sync::Mutex<()>,
    seen: Mutex<Sightings>,
    /// Something new was heard: of coins, of nutzaps.
    news: tokio::sync::Notify,
    nutzap_news: tokio::sync::Notify,
}

/// What was last seen of the relays.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings {
    /// By relay: the last word on it.
    pub(super) relays: BTreeMap<String, Sight>,
    /// The last pull read every relay of the owner to its end.
    pub(super) whole: bool,
    /// A pull has ended since the start.
    pub(super) pulled: bool,
    /// When all that other devices hold was claimed, in Unix seconds.
    claimed_at: Option<u64>,
    /// When lost deletions were made again, in Unix seconds.
    deleted_again_at: Option<u64>,
    /// Our own wallet event must not be written: what was read of it may lack keys.
    pub(super) read_only: bool,
    /// Relays that may hold this key's wallet and are not the owner's: nothing is written about it
    /// before they are.
    pub(super) elsewhere: Vec<String>,
    /// The public list was emptied by another program: nutzaps stay off.
    pub(super) nutzaps_off: bool,
    /// Relays whose word on the wallet itself was read to its end in the last sync, and is stored.
    pub(super) about_read: BTreeSet<String>,
    /// Deposits of ours whose coins the mint calls issued though none is here: since when, in Unix
    /// seconds.
    issued_at: BTreeMap<String, u64>,
    /// The list of mints was brought to every relay since the start.
    mints_kept: bool,
    /// What the last round of publishing left in the queue.
    queue: Counts,
    /// The mints that are asked now, the one that was asked first before the others: a sync waits
    /// for them.
    pub(super) asking: Vec<MintAddress>,
}

impl Sightings {
    /// What keeps the wallet from saying on relays what it is and takes.
    pub(super) fn in_the_way(&self) -> Option<InTheWay> {
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
    fn of(elsewhere: Vec<String>, nutzaps_off: bool) -> Option<Self> {
        if elsewhere.is_empty() {
            nutzaps_off.then_some(Self::NutzapsOff)
        } else {
            Some(Self::Elsewhere(elsewhere))
        }
    }
}

/// How many events are on their way.
#[derive(Clone, Debug, Default)]
struct Counts {
    /// In the queue.
    all: u64,
    /// Not on enough relays.
    unpublished: u64,
    /// Still to go to one of the owner's relays.
    at: BTreeMap<String, u64>,
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
struct Asking<'l>(&'l Link, MintAddress);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut seen = self.0.seen();
        if let Some(place) = seen.asking.iter().position(|mint| *mint == self.1) {
            seen.asking.remove(place);
        }
    }
}

impl Link {
    pub(super) fn new(parts: Nostr) -> Self {
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
    pub(super) async fn syncing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.syncing.lock().await
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Sightings> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These lack what they should hold.
    fn behind(&self, urls: &BTreeSet<String>) {
        let mut seen = self.seen();
        seen.relays.extend(urls.iter().map(|url| (url.clone(), Sight::Behind)));
    }

    /// Until this is dropped, whoever waits for a sync waits for this mint.
    fn asking(&self, mint: &MintAddress) -> Asking<'_> {
        self.seen().asking.push(mint.clone());
        Asking(self, mint.clone())
    }

    /// One of the owner's relays.
    pub(super) fn is_own(&self, url: &str) -> bool {
        self.parts.urls.iter().any(|own| plain_url(own) == url)
    }

    /// Some relay of the owner's answered when all were read last.
    fn is_online(&self) -> bool {
        self.seen().relays.values().any(|sight| *sight != Sight::Away)
    }

    /// How many of the owner's relays must have an event before it counts as published.
    pub(super) fn quorum(&self) -> usize {
        self.parts.urls.len().div_ceil(2).max(1)
    }
}

/// An address as it is compared.
pub(super) fn plain_url(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}
