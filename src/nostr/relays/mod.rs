//! Relays: ask one, put an event on one, listen to one. Each exchange says how it ended.
//!
//! A relay is a stranger's memory. What it gives is checked, counted and cut off; what it withholds cannot be known. Never
//! opens a connection that nobody asked for, never says who we are unless it was given an identity and the relay insists, never
//! repeats what a relay refused. Starts no task.
//!
//! One connection per relay is kept and used again for up to half a minute; one request at a time goes over it. Listening has
//! its own.

mod filter;
mod frame;
mod line;
mod listen;
mod publish;
mod read;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

use self::line::{Broken, Line};
use super::event::Event;
use super::identity::Identity;
use crate::ports::Http;

/// How long a connection is kept without being used.
const KEPT: Duration = Duration::from_secs(30);

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
    pub skipped: usize,
    /// How it ended.
    pub end: End,
}

/// What became of an event that was put on a relay. The words of a reason may be the relay's, as one clean line.
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
pub enum Heard {
    /// The relay listens for us, from the beginning or again: what came in between is not heard, and must be asked for.
    Connected,
    /// A checked event that the filter asks for.
    Event(Event),
}

/// Relays over the network, with or without an identity of ours.
pub struct Relays {
    http: Arc<dyn Http>,
    identity: Option<Identity>,
    now: fn() -> u64,
    lines: Mutex<HashMap<String, Arc<Turn<Option<Line>>>>>,
}

impl fmt::Debug for Relays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relays").field("identified", &self.identity.is_some()).finish_non_exhaustive()
    }
}

type Held = OwnedMutexGuard<Option<Line>>;

impl Relays {
    /// Relays that learn who we are when they insist (NIP-42), or, without an identity, never. `now` gives Unix seconds.
    pub fn new(http: Arc<dyn Http>, identity: Option<Identity>, now: fn() -> u64) -> Self {
        Self { http, identity, now, lines: Mutex::default() }
    }

    /// The turn at this relay. Connections that nobody used for a while are closed on the way.
    async fn turn(&self, url: &str, deadline: Instant) -> Result<Held, Broken> {
        let turn = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is in use, or waited for, is held by somebody else as well.
            lines.retain(|_, turn| match turn.try_lock() {
                Ok(line) => Arc::strong_count(turn) > 1 || line.as_ref().is_some_and(|line| line.used.elapsed() < KEPT),
                Err(_) => true,
            });
            lines.entry(url.to_owned()).or_default().clone()
        };
        timeout_at(deadline, turn.lock_owned()).await.map_err(|_| Broken::Late)
    }

    /// The connection that was kept, or a new one. `true` with one that was kept: it may be dead without our knowing.
    async fn line(&self, held: &mut Held, url: &str, deadline: Instant) -> Result<(Line, bool), Broken> {
        match held.take().filter(|line| line.used.elapsed() < KEPT) {
            Some(mut line) => {
                line.heard = false;
                Ok((line, true))
            }
            None => Ok((Line::open(&self.http, url, deadline).await?, false)),
        }
    }
}
