//! One connection to a relay: sends a line, hears the next one, says who we are when that is asked for.
//!
//! Everything has a deadline. Never opens itself again.

use std::fmt;
use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};

use super::super::identity::{Draft, Identity};
use super::frame::Frame;
use crate::model::text::clean;
use crate::ports::{Http, Socket};

/// The kind by which a relay is told who we are.
const AUTH: u16 = 22_242;

/// How often one connection may ask who we are.
const MAX_ANSWERS: u8 = 3;

/// Why an exchange cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The deadline has come.
    Late,
    /// No connection.
    Unreachable(String),
    /// The connection ended.
    Lost {
        /// The relay's words, or ours.
        reason: String,
        /// It ended because a message was too large.
        too_large: bool,
    },
    /// The relay wants to know who we are, and is not told, or does not take the answer.
    Unnamed {
        /// The relay's words, or ours.
        reason: String,
        /// It will not be otherwise the next time.
        lasting: bool,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("no answer in time"),
            Self::Unreachable(reason) | Self::Lost { reason, .. } | Self::Unnamed { reason, .. } => f.write_str(reason),
        }
    }
}

/// A connection.
pub(super) struct Line {
    socket: Socket,
    url: String,
    challenge: Option<String>,
    answers: u8,
    subscriptions: u64,
    /// When it was last used to an end.
    pub(super) used: Instant,
    /// Words came in since it was taken up.
    pub(super) heard: bool,
}

impl Line {
    /// Opens a connection.
    pub(super) async fn open(http: &Arc<dyn Http>, url: &str, deadline: Instant) -> Result<Self, Broken> {
        let opened =
            timeout_at(deadline, http.websocket(url)).await.map_err(|_| Broken::Unreachable("no connection in time".to_owned()))?;
        let socket = opened.map_err(|failure| Broken::Unreachable(failure.to_string()))?;
        let url = url.to_owned();
        Ok(Self { socket, url, challenge: None, answers: 0, subscriptions: 0, used: Instant::now(), heard: false })
    }

    /// The name of the next subscription; each is used once, so that late answers are told apart.
    pub(super) fn next_subscription(&mut self) -> String {
        self.subscriptions = self.subscriptions.wrapping_add(1);
        format!("n{}", self.subscriptions)
    }

    /// Sends one message.
    pub(super) async fn send(&mut self, text: String, deadline: Instant) -> Result<(), Broken> {
        let sent = timeout_at(deadline, self.socket.send(Message::text(text))).await.map_err(|_| Broken::Late)?;
        sent.map_err(|error| lost(&error))
    }

    /// Sends a ping.
    pub(super) async fn ping(&mut self, deadline: Instant) -> Result<(), Broken> {
        let sent = timeout_at(deadline, self.socket.send(Message::Ping(Vec::new().into()))).await.map_err(|_| Broken::Late)?;
        sent.map_err(|error| lost(&error))
    }

    /// The next message. Empty for one that holds no text, a pong for example.
    ///
    /// # Cancel safety
    /// Safe to drop: nothing that was read is lost.
    pub(super) async fn hear(&mut self, deadline: Instant) -> Result<Utf8Bytes, Broken> {
        // What is there at once is never late for a timeout, and a flood is always there.
        if Instant::now() >= deadline {
            return Err(Broken::Late);
        }
        let message = timeout_at(deadline, self.socket.next()).await.map_err(|_| Broken::Late)?;
        self.heard = self.heard || matches!(message, Some(Ok(Message::Text(_))));
        match message {
            Some(Ok(Message::Text(text))) => Ok(text),
            Some(Ok(Message::Close(Some(close)))) => {
                let reason = format!("the relay closed the connection: {}", clean(&close.reason));
                Err(Broken::Lost { reason, too_large: close.code == CloseCode::Size })
            }
            Some(Ok(Message::Close(None))) | None => Err(closed()),
            Some(Ok(_)) => Ok(Utf8Bytes::default()),
            Some(Err(error)) => Err(lost(&error)),
        }
    }

    /// Remembers what the relay asks for.
    pub(super) fn challenged(&mut self, challenge: String) {
        self.challenge = Some(challenge);
    }

    /// Says who we are, and waits for the relay to take it.
    pub(super) async fn answer(&mut self, identity: Option<&Identity>, now: u64, deadline: Instant) -> Result<(), Broken> {
        let identity = identity.ok_or_else(|| unnamed("the relay wants to know who asks", true))?;
        self.answers = self.answers.saturating_add(1);
        if self.answers > MAX_ANSWERS {
            return Err(unnamed("the relay asks again and again who we are", false));
        }
        let challenge = loop {
            if let Some(challenge) = self.challenge.take() {
                break challenge;
            }
            if let Frame::Auth { challenge } = Frame::read(&self.hear(deadline).await?) {
                self.challenge = Some(challenge);
            }
        };
        let tags = vec![vec!["relay".to_owned(), self.url.clone()], vec!["challenge".to_owned(), challenge]];
        let event = identity.sign(Draft { kind: AUTH, created_at: now, tags, content: String::new() });
        let event = event.map_err(|_| unnamed("the relay's question is too long", false))?;
        self.send(format!(r#"["AUTH",{}]"#, event.json()), deadline).await?;
        loop {
            match Frame::read(&self.hear(deadline).await?) {
                Frame::Ok { id, stored: true, .. } if id == event.id() => return Ok(()),
                Frame::Ok { id, stored: false, reason } if id == event.id() || id.is_empty() => {
                    let lasting = ["restricted", "blocked"].iter().any(|prefix| begins(&reason, prefix));
                    return Err(unnamed(&format!("the relay does not take our name: {}", clean(&reason)), lasting));
                }
                Frame::Auth { challenge } => self.challenge = Some(challenge),
                _ => {}
            }
        }
    }

    /// Ends a subscription. Failing is fine: the next use will notice.
    pub(super) async fn close(&mut self, subscription: &str, deadline: Instant) {
        let _ = self.send(json!(["CLOSE", subscription]).to_string(), deadline).await;
    }
}

/// The relay has a reason that begins like this.
pub(super) fn begins(reason: &str, prefix: &str) -> bool {
    reason.trim_start().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ' ']))
}

fn unnamed(reason: &str, lasting: bool) -> Broken {
    Broken::Unnamed { reason: reason.to_owned(), lasting }
}

fn closed() -> Broken {
    Broken::Lost { reason: "the relay closed the connection".to_owned(), too_large: false }
}

fn lost(error: &SocketError) -> Broken {
    match error {
        SocketError::ConnectionClosed | SocketError::AlreadyClosed => closed(),
        SocketError::Capacity(_) => Broken::Lost { reason: "the relay sent more than is read at once".to_owned(), too_large: false },
        _ => Broken::Lost { reason: "the connection to the relay was lost".to_owned(), too_large: false },
    }
}
