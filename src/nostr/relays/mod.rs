//! Relays: ask one, put an event on one, listen to one, compare with one. Each exchange says how it
//! ended.
//!
//! A relay is a stranger's memory. What it gives is checked, counted and cut off; what it withholds
//! cannot be known. nostr-sdk's `Relay` carries the messages over the network that everything else
//! uses; whether a reading was whole, and whether an event was taken, is read from those messages,
//! because the library's own answers do not tell (ADR 18). Never opens a connection that nobody
//! asked for, never repeats what a relay refused. Never says who we are unless it was given an
//! identity, and the relay insists or is the owner's own and has asked: such a one may show less to
//! whom it does not know, and what it hides must not be taken for absent. The library runs one task
//! for each connection, which ends with it.
//!
//! One connection per relay is kept and used again for up to half a minute; one request at a time
//! goes over it. Listening has its own.
//!
//! ```text
//!  read, publish, reconcile, listen  <->  connection (the library's Relay)  <->  gate (what may pass)  <->  transport (ports::Http)
//! ```

mod connection;
mod frame;
mod gate;
mod listen;
mod publish;
mod read;
mod reconcile;
mod request;
mod transport;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nostr_sdk::filter::MatchEventOptions;
use nostr_sdk::{Filter, RelayStatus, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use self::connection::{ExchangeError, Pool, RelayConnection};
pub use self::reconcile::{Difference, NotCompared};
use super::event::Event;
use super::identity::Identity;
use crate::ports::Http;

/// How long a connection is kept without being used.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long closing waits for the last connection to be gone.
const CLOSING: Duration = Duration::from_secs(5);

/// How a reading ended. The words of a reason may be the relay's, as one clean line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The relay says that this is all it has.
    Whole,
    /// There may be more: why it ended before.
    Cut(String),
    /// Nothing could be asked.
    Unreachable(String),
}

/// What one request brought.
#[derive(Clone, Debug)]
pub struct Page {
    /// Checked events that the filter asks for, each once, in the relay's order.
    pub events: Vec<Event>,
    /// How many were passed over: too large, forged, or not asked for.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "tests count them"))]
    pub skipped: usize,
    /// How it ended.
    pub end: End,
}

/// What all pages brought.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Checked events that were not known, each once.
    pub events: Vec<Event>,
    /// The ids of all, those that were known included; nobody checked the known ones again.
    pub ids: Vec<String>,
    /// How many were passed over: too large, forged, or not asked for.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "tests count them"))]
    pub skipped: usize,
    /// How it ended.
    pub end: End,
}

/// What became of an event that was put on a relay. The words of a reason may be the relay's, as
/// one clean line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// The relay says that it has it.
    Stored,
    /// The relay says no.
    Refused {
        /// Why.
        reason: String,
        /// It will say no again.
        lasting: bool,
        /// Because of its size: smaller ones may do.
        too_large: bool,
    },
    /// It may have it or not: why nobody knows.
    NoAnswer(String),
}

/// What a listener hears.
#[derive(Clone, Debug)]
pub enum ListenerEvent {
    /// The relay listens for us, from the beginning or again: what came in between is not heard,
    /// and must be asked for.
    Connected,
    /// A checked event that the filter asks for.
    Event(Event),
}

/// Relays over the network, with or without an identity of ours.
pub struct Relays {
    http: Arc<dyn Http>,
    identity: Option<Identity>,
    /// The owner's own relays.
    own: HashSet<String>,
    now: fn() -> u64,
    pool: Pool,
    /// Counts the connections that are open, those of listeners too.
    open: TaskTracker,
    connections: Mutex<HashMap<String, Arc<AsyncMutex<IdleConnection>>>>,
    /// Relays that have shown that they do not compare.
    not_comparing: Mutex<HashSet<String>>,
}

impl fmt::Debug for Relays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relays")
            .field("identified", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}

/// The connection that is kept, if any.
#[derive(Default)]
struct IdleConnection(Option<RelayConnection>);

type IdleGuard = OwnedMutexGuard<IdleConnection>;

impl IdleConnection {
    fn keep(&mut self, mut connection: RelayConnection) {
        connection.gate.expect_nothing();
        connection.last_used = Instant::now();
        self.0 = Some(connection);
    }

    fn is_fresh(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| {
            connection.last_used.elapsed() < IDLE_TIMEOUT
                && connection.relay.status() == RelayStatus::Connected
        })
    }
}

impl Relays {
    /// Relays that learn who we are when they insist (NIP-42), or, without an identity, never.
    /// `now` gives Unix seconds.
    pub fn new(http: Arc<dyn Http>, identity: Option<Identity>, now: fn() -> u64) -> Self {
        let open = TaskTracker::new();
        let pool = Pool::new(http.clone(), open.clone());
        Self {
            http,
            identity,
            own: HashSet::new(),
            now,
            pool,
            open,
            connections: Mutex::default(),
            not_comparing: Mutex::default(),
        }
    }

    /// Marks the owner's own relays: we authenticate to them as soon as they ask, even where they
    /// do not insist.
    #[must_use]
    pub fn of_owner(self, urls: &[String]) -> Self {
        Self { own: urls.iter().map(|url| plain(url)).collect(), ..self }
    }

    /// The identity for a relay that has asked for authentication and does not insist.
    fn auth_on_request(&self, url: &str) -> Option<&Identity> {
        self.identity.as_ref().filter(|_| self.own.contains(&plain(url)))
    }

    /// Closes every connection and waits, for 5 s at most, until the last one is gone, those of
    /// listeners included: their futures must have been dropped before. Nothing can be asked any
    /// more. Dropping [`Relays`] closes them as well, and waits for nothing.
    pub async fn close(&self) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.pool.close().await;
        self.open.close();
        let _ = timeout(CLOSING, self.open.wait()).await;
    }

    /// The lock of this relay. Connections that nobody used for a while are closed on the way.
    async fn lock(&self, url: &str, deadline: Instant) -> Result<IdleGuard, ExchangeError> {
        let url = plain(url);
        let slot = {
            let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is in use, or waited for, is held by somebody else as well.
            connections.retain(|_, slot| match slot.try_lock() {
                Ok(kept) => Arc::strong_count(slot) > 1 || kept.is_fresh(),
                Err(_) => true,
            });
            connections.entry(url).or_default().clone()
        };
        timeout_at(deadline, slot.lock_owned()).await.map_err(|_| ExchangeError::Timeout)
    }

    /// The connection that was kept, or a new one. `true` with one that was kept: it may be dead
    /// without our knowing.
    async fn connection(
        &self,
        held: &mut IdleGuard,
        url: &str,
        deadline: Instant,
    ) -> Result<(RelayConnection, bool), ExchangeError> {
        let fresh = held.is_fresh();
        match held.0.take().filter(|_| fresh) {
            Some(mut connection) => {
                connection.has_received = false;
                Ok((connection, true))
            }
            None => Ok((self.pool.open(url, deadline).await?, false)),
        }
    }
}

/// A relay's address in one form: however it is written, a relay is one relay.
fn plain(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), String::from)
}

/// The filter that is written like this (NIP-01). `None` when it is none.
fn filter_of(written: &Value) -> Option<Filter> {
    Filter::deserialize(written).ok()
}

/// The event is one that the filter asks for: relays are not trusted to look. `search` holds for
/// every event.
fn asks_for(filter: &Filter, event: &nostr_sdk::Event) -> bool {
    filter.match_event(event, MatchEventOptions::new().nip50(false))
}
