//! Filters what the library reads from a websocket.
//!
//! The library drops what it cannot read without telling, checks events that nobody asked for, and
//! keeps all of it in memory for whoever is slow. So what was not asked for ends here, what it
//! would drop is noted or written the way it reads it, and all of it is counted. Never checks an
//! event.

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

/// The most that is taken in over one connection within [`WITHIN`], in bytes: more than a page of
/// large events.
const MOST: usize = 64 * 1024 * 1024;

/// The most messages of no use within [`WITHIN`]. More than a listener remembers: what was stored
/// is said again over a new connection.
const MOST_USELESS: usize = 5_000;
const WITHIN: Duration = Duration::from_secs(60);

/// The relay sends more than is taken in.
#[derive(Debug, thiserror::Error)]
#[error("the relay sends more than is taken in")]
pub(super) struct Flood;

/// What is noted of a connection, and what is under way over it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// A listener's: it stays open for long.
    pub(super) listening: bool,
    state: Mutex<GateState>,
    /// The library has ended a comparison.
    pub(super) compared: Notify,
}

#[derive(Debug, Default)]
struct GateState {
    /// The subscription whose events are awaited; empty when there is none.
    subscription: String,
    /// The id of the event whose answer is awaited; empty when none is.
    event: String,
    /// A comparison is under way.
    compares: bool,
    /// The name of the last comparison, which the library chooses.
    comparison: String,
    /// The relay has begun with it.
    stepped: bool,
    /// Of the subscription: the events that were sent, those that the library would hide, and the
    /// words at its end.
    events: usize,
    aside: Vec<String>,
    hint: Option<Hint>,
    /// When the counting of the next two began.
    since: Option<Instant>,
    bytes: usize,
    useless: usize,
    /// All bytes of this exchange.
    heard: usize,
    /// Why the connection ended, and whether a message of ours was too large.
    end: Option<(String, bool)>,
}

/// What was counted and noted of a subscription.
pub(super) struct Noted {
    /// How many events were sent for it, whatever they were.
    pub(super) events: usize,
    /// Events, as they were written, that the library would hide.
    pub(super) aside: Vec<String>,
    /// What the relay said at the end.
    pub(super) hint: Option<Hint>,
}

impl Gate {
    pub(super) fn new(listening: bool) -> Self {
        Self { listening, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was noted, since a new connection begins.
    pub(super) fn reset(&self) {
        *self.state() = GateState::default();
    }

    /// Events for this subscription pass from now on, and for no other.
    pub(super) fn expect_events(&self, subscription: &str) {
        let mut state = self.state();
        (state.subscription, state.events, state.hint, state.heard) =
            (subscription.to_owned(), 0, None, 0);
        state.aside.clear();
    }

    /// An answer to this event passes.
    pub(super) fn expect_ok(&self, id: &str) {
        id.clone_into(&mut self.state().event);
    }

    /// Steps of a comparison pass.
    pub(super) fn expect_comparison(&self) {
        let mut state = self.state();
        (state.compares, state.stepped) = (true, false);
    }

    /// This is the name of the comparison that is under way.
    pub(super) fn is_comparison(&self, subscription: &str) -> bool {
        self.state().comparison == subscription
    }

    /// The relay has given an answer in this comparison.
    pub(super) fn has_stepped(&self) -> bool {
        self.state().stepped
    }

    /// From now on nothing is awaited, and nothing passes.
    pub(super) fn expect_nothing(&self) {
        let mut state = self.state();
        state.subscription.clear();
        state.event.clear();
        state.aside.clear();
        state.compares = false;
    }

    /// What was noted of the subscription.
    pub(super) fn noted(&self) -> Noted {
        let mut state = self.state();
        Noted { events: state.events, aside: std::mem::take(&mut state.aside), hint: state.hint }
    }

    /// How many bytes came since the subscription was asked for.
    pub(super) fn bytes_received(&self) -> usize {
        self.state().heard
    }

    /// Why the connection ended, and whether a message of ours was too large.
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

    /// The message as the library is to see it. `None`: it is not to see it.
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

    /// Observes what the library sends.
    pub(super) fn observe_outgoing(&self, message: &async_wsocket::Message) {
        let Some(text) = message.as_text() else { return };
        if text.starts_with(r#"["NEG-CLOSE""#) {
            self.compared.notify_one();
        } else if let Some(rest) = text.strip_prefix(r#"["NEG-OPEN",""#) {
            self.state().comparison = rest.split('"').next().unwrap_or_default().to_owned();
        }
    }

    /// The socket failed.
    pub(super) fn set_failure(&self, error: &SocketError) {
        let why = match error {
            SocketError::ConnectionClosed | SocketError::AlreadyClosed => return,
            SocketError::Capacity(_) => "the relay sent more than is read at once",
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

    /// The text that is passed on to the library; `None` when it is not to see this message.
    fn text(&mut self, text: &str, listening: bool) -> Option<String> {
        match Frame::read(text) {
            Frame::Event { subscription, event } if subscription == self.subscription => {
                self.events = self.events.saturating_add(1);
                // It hides events that have expired (NIP-40), so that a page of them would look
                // like the end.
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
            // Some relays refuse without naming the event; only one is under way here. Nothing is
            // taken without its name.
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
