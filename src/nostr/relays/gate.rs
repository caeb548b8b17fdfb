//! The gate: filters and counts the messages of one websocket before the library reads them.
//!
//! The library silently drops what it cannot parse, verifies events that nobody requested, and
//! buffers everything for slow readers. Each connection therefore has a gate, which drops what was
//! not requested, rewrites messages into the form that the library parses, sets aside events that
//! the library would drop, and limits the total. Never verifies an event.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::super::event::MAX_EVENT;
use super::frame::{Frame, Hint};
use crate::model::text::clean;

/// Maximum bytes accepted from one connection within [`WITHIN`]; a page of large events fits.
const MOST: usize = 64 * 1024 * 1024;

/// Maximum number of useless messages within [`WITHIN`]. It exceeds the number of ids that a
/// listener remembers, because a new connection sends the stored events again.
const MOST_USELESS: usize = 5_000;
const WITHIN: Duration = Duration::from_secs(60);

/// The relay sends more than the limits allow.
#[derive(Debug, thiserror::Error)]
#[error("the relay sends too much")]
pub(super) struct Flood;

/// The state of one connection: the requests under way, and the counts.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// The connection belongs to a listener and stays open for long.
    pub(super) listening: bool,
    state: Mutex<GateState>,
    /// Notified when the library ends a reconciliation.
    pub(super) compared: Notify,
}

#[derive(Debug, Default)]
struct GateState {
    /// The subscription whose events are expected; empty if there is none.
    subscription: String,
    /// The id of the event whose OK is expected; empty if there is none.
    event: String,
    /// A reconciliation is under way.
    compares: bool,
    /// The id of the last reconciliation, chosen by the library.
    comparison: String,
    /// The relay has answered in this reconciliation.
    stepped: bool,
    /// The subscription's event count, the events that the library would drop, and the relay's
    /// hint at the end.
    events: usize,
    aside: Vec<String>,
    hint: Option<Hint>,
    /// The start of the window in which `bytes` and `useless` are counted.
    since: Option<Instant>,
    bytes: usize,
    useless: usize,
    /// Bytes received since the subscription was requested.
    heard: usize,
    /// Reason why the connection ended, and whether one of our messages was too large.
    end: Option<(String, bool)>,
}

/// The counts and notes of one subscription.
pub(super) struct Noted {
    /// Number of events sent for it, valid or not.
    pub(super) events: usize,
    /// Events, as raw JSON, that the library would drop.
    pub(super) aside: Vec<String>,
    /// The relay's hint at the end of stored events.
    pub(super) hint: Option<Hint>,
}

impl Gate {
    pub(super) fn new(listening: bool) -> Self {
        Self { listening, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clears the state for a new connection.
    pub(super) fn reset(&self) {
        *self.state() = GateState::default();
    }

    /// Admits events of this subscription only.
    pub(super) fn expect_events(&self, subscription: &str) {
        let mut state = self.state();
        (state.subscription, state.events, state.hint, state.heard) =
            (subscription.to_owned(), 0, None, 0);
        state.aside.clear();
    }

    /// Admits an OK for this event.
    pub(super) fn expect_ok(&self, id: &str) {
        id.clone_into(&mut self.state().event);
    }

    /// Admits the steps of a reconciliation.
    pub(super) fn expect_comparison(&self) {
        let mut state = self.state();
        (state.compares, state.stepped) = (true, false);
    }

    /// Returns whether this is the id of the reconciliation under way.
    pub(super) fn is_comparison(&self, subscription: &str) -> bool {
        self.state().comparison == subscription
    }

    /// Returns whether the relay has answered in this reconciliation.
    pub(super) fn has_stepped(&self) -> bool {
        self.state().stepped
    }

    /// Ends every expectation: no event, OK or step is admitted.
    pub(super) fn expect_nothing(&self) {
        let mut state = self.state();
        state.subscription.clear();
        state.event.clear();
        state.aside.clear();
        state.compares = false;
    }

    /// Takes the notes of the subscription.
    pub(super) fn noted(&self) -> Noted {
        let mut state = self.state();
        Noted { events: state.events, aside: std::mem::take(&mut state.aside), hint: state.hint }
    }

    /// Bytes received since the subscription was requested.
    pub(super) fn bytes_received(&self) -> usize {
        self.state().heard
    }

    /// Reason why the connection ended, and whether one of our messages was too large.
    pub(super) fn end_reason(&self) -> (String, bool) {
        self.state()
            .end
            .clone()
            .unwrap_or_else(|| ("the relay closed the connection".to_owned(), false))
    }

    /// Counts a message that its reader could not use.
    pub(super) fn useless(&self) -> Result<(), Flood> {
        self.state().useless()
    }

    /// Converts a message for the library; `None` drops it.
    pub(super) fn admit(&self, message: &Message) -> Result<Option<async_wsocket::Message>, Flood> {
        let mut state = self.state();
        let passed = match message {
            Message::Text(text) => {
                state.count(text.len())?;
                state.text(text, self.listening).map(async_wsocket::Message::Text)
            }
            Message::Close(close) => {
                if let Some(close) = close {
                    let reason =
                        format!("the relay closed the connection: {}", clean(&close.reason));
                    state.end = Some((reason, close.code == CloseCode::Size));
                }
                Some(async_wsocket::Message::Close(None))
            }
            Message::Pong(bytes) if self.listening => {
                Some(async_wsocket::Message::Pong(bytes.to_vec()))
            }
            _ => None,
        };
        if passed.is_none() {
            state.useless()?;
        }
        Ok(passed)
    }

    /// Tracks the reconciliation messages that the library sends.
    pub(super) fn observe_outgoing(&self, message: &async_wsocket::Message) {
        let Some(text) = message.as_text() else { return };
        if text.starts_with(r#"["NEG-CLOSE""#) {
            self.compared.notify_one();
        } else if let Some(rest) = text.strip_prefix(r#"["NEG-OPEN",""#) {
            self.state().comparison = rest.split('"').next().unwrap_or_default().to_owned();
        }
    }

    /// Records why the socket failed, unless a reason is already known.
    pub(super) fn set_failure(&self, error: &SocketError) {
        let why = match error {
            SocketError::ConnectionClosed | SocketError::AlreadyClosed => return,
            SocketError::Capacity(_) => "the relay sent an oversized message",
            _ => "the connection to the relay was lost",
        };
        self.state().end.get_or_insert_with(|| (why.to_owned(), false));
    }
}

impl GateState {
    fn useless(&mut self) -> Result<(), Flood> {
        self.count(0)?;
        self.useless = self.useless.saturating_add(1);
        if self.useless > MOST_USELESS { Err(self.flood()) } else { Ok(()) }
    }

    fn count(&mut self, bytes: usize) -> Result<(), Flood> {
        if self.since.is_none_or(|since| since.elapsed() > WITHIN) {
            (self.since, self.bytes, self.useless) = (Some(Instant::now()), 0, 0);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.heard = self.heard.saturating_add(bytes);
        if self.bytes > MOST { Err(self.flood()) } else { Ok(()) }
    }

    fn flood(&mut self) -> Flood {
        self.end = Some((Flood.to_string(), false));
        Flood
    }

    /// The text to pass on to the library; `None` drops the message.
    fn text(&mut self, text: &str, listening: bool) -> Option<String> {
        match Frame::read(text) {
            Frame::Event { subscription, event } if subscription == self.subscription => {
                self.events = self.events.saturating_add(1);
                // The library drops expired events (NIP-40), and a page that contains only such
                // events would look like the last page.
                if !listening && event.len() <= MAX_EVENT && event.contains(r#""expiration""#) {
                    self.aside.push(event.to_owned());
                    return None;
                }
                (event.len() <= MAX_EVENT).then(|| text.to_owned())
            }
            Frame::EndOfStored { subscription, hint } if subscription == self.subscription => {
                self.hint = hint;
                Some(json!(["EOSE", subscription]).to_string())
            }
            Frame::Closed { subscription, reason }
                if subscription == self.subscription || self.compares =>
            {
                Some(json!(["CLOSED", subscription, reason]).to_string())
            }
            // Some relays refuse without naming the event, and only one event is under way here.
            // An acceptance without the event's id does not count.
            Frame::Ok { id, stored, reason }
                if !self.event.is_empty() && (id == self.event || (id.is_empty() && !stored)) =>
            {
                Some(json!(["OK", self.event, stored, reason]).to_string())
            }
            Frame::Auth { challenge } => Some(json!(["AUTH", challenge]).to_string()),
            Frame::Notice { words } if self.compares || !self.event.is_empty() => {
                Some(json!(["NOTICE", words]).to_string())
            }
            Frame::Negentropy { step } if self.compares => {
                self.stepped |= step;
                Some(text.to_owned())
            }
            _ => None,
        }
    }
}
