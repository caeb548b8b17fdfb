//! Relay access: reads, publishes, listens and reconciles, and reports how each exchange ended.
//!
//! Relays are untrusted storage. Every event they send is verified, counted and limited; events
//! they withhold cannot be detected. nostr-sdk's `Relay` carries the messages over the same
//! hardened network as all other traffic. Completeness of a read and acceptance of an event are
//! decided from the messages themselves, because the library's results do not report them (ADR 18).
//!
//! Never opens a connection without a request, and never repeats what a relay refused. Never
//! authenticates without an identity, and then only if the relay requires it, or asks for it and
//! is one of the owner's: such a relay may hide events from unknown clients, and hidden events
//! must not count as absent.
//!
//! One connection per relay is kept open for 30 s after its last use and serves one request at a
//! time. Listeners have their own. The library runs one task per connection, which ends with it.
//!
//! ```text
//!  read, publish, reconcile, listen
//!    <-> connection (the library's Relay) <-> gate (filter) <-> transport (ports::Http)
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

/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long closing waits for the last connection to end.
const CLOSING: Duration = Duration::from_secs(5);

/// The end of a read. A reason may be text from the relay, cleaned to one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The relay reported the end of its stored events.
    Whole,
    /// The read ended early for this reason; there may be more.
    Cut(String),
    /// The relay could not be asked, for this reason.
    Unreachable(String),
}

/// Result of one request.
#[derive(Clone, Debug)]
pub struct Page {
    /// Verified events that match the filter, without duplicates, in the relay's order.
    pub events: Vec<Event>,
    /// Number of events skipped: too large, forged, or not requested.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "tests count them"))]
    pub skipped: usize,
    /// The end of the read.
    pub end: End,
}

/// Result of all pages of a read.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Verified events that were not already known, without duplicates.
    pub events: Vec<Event>,
    /// Ids of all events, including the known ones, which are not verified again.
    pub ids: Vec<String>,
    /// Number of events skipped: too large, forged, or not requested.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "tests count them"))]
    pub skipped: usize,
    /// The end of the read.
    pub end: End,
}

/// Result of publishing an event. A reason may be text from the relay, cleaned to one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// The relay has the event.
    Stored,
    /// The relay refused the event.
    Refused {
        /// The relay's reason.
        reason: String,
        /// The relay will refuse this event again.
        lasting: bool,
        /// The event is too large; a smaller one may be accepted.
        too_large: bool,
    },
    /// The relay may or may not have the event; the text says why no answer came.
    NoAnswer(String),
}

/// An item that a listener delivers.
#[derive(Clone, Debug)]
pub enum ListenerEvent {
    /// The subscription is live, for the first time or again. Events since the last connection
    /// were missed and must be queried.
    Connected,
    /// A verified event that matches the filter.
    Event(Event),
}

/// Relays over the network, with or without an identity.
pub struct Relays {
    http: Arc<dyn Http>,
    identity: Option<Identity>,
    /// URLs of the owner's own relays.
    own: HashSet<String>,
    now: fn() -> u64,
    pool: Pool,
    /// Counts the open connections, including those of listeners.
    open: TaskTracker,
    connections: Mutex<HashMap<String, Arc<AsyncMutex<IdleConnection>>>>,
    /// Relays known not to support reconciliation (NIP-77).
    not_comparing: Mutex<HashSet<String>>,
}

impl fmt::Debug for Relays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relays")
            .field("identified", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}

/// The idle connection of a relay, if there is one.
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
    /// Creates a client that authenticates to relays that require it (NIP-42); without an identity
    /// it never does. `now` returns Unix seconds.
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

    /// Sets the owner's own relays. The client authenticates to them as soon as they ask, even if
    /// they do not require it.
    #[must_use]
    pub fn of_owner(self, urls: &[String]) -> Self {
        Self { own: urls.iter().map(|url| plain(url)).collect(), ..self }
    }

    /// The identity to use for a relay that asks for authentication without requiring it.
    fn auth_on_request(&self, url: &str) -> Option<&Identity> {
        self.identity.as_ref().filter(|_| self.own.contains(&plain(url)))
    }

    /// Closes every connection and waits up to 5 s until the last one has ended. Futures of
    /// listeners must be dropped before. No request is possible afterwards. Dropping [`Relays`]
    /// also closes the connections, without waiting.
    pub async fn close(&self) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.pool.close().await;
        self.open.close();
        let _ = timeout(CLOSING, self.open.wait()).await;
    }

    /// Locks a relay for one exchange, and closes idle connections that are too old.
    async fn lock(&self, url: &str, deadline: Instant) -> Result<IdleGuard, ExchangeError> {
        let url = plain(url);
        let slot = {
            let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
            // A slot with another owner is in use or waited for.
            connections.retain(|_, slot| match slot.try_lock() {
                Ok(kept) => Arc::strong_count(slot) > 1 || kept.is_fresh(),
                Err(_) => true,
            });
            connections.entry(url).or_default().clone()
        };
        timeout_at(deadline, slot.lock_owned()).await.map_err(|_| ExchangeError::Timeout)
    }

    /// Returns the idle connection, or opens one. `true` means that it was idle, so it may already
    /// be dead.
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

/// Normalizes a relay URL, so that every spelling maps to one relay.
fn plain(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), String::from)
}

/// Parses a filter (NIP-01). `None` if it is invalid.
fn filter_of(written: &Value) -> Option<Filter> {
    Filter::deserialize(written).ok()
}

/// Returns whether the event matches the filter, since relays may send others. The `search` field
/// is ignored.
fn asks_for(filter: &Filter, event: &nostr_sdk::Event) -> bool {
    filter.match_event(event, MatchEventOptions::new().nip50(false))
}
