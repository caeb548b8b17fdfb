//! One connection to a relay: the library's `Relay` with its messages, and saying who we are when
//! that is asked for.
//!
//! Everything has a deadline. The connection ends with its last use: dropped, it is closed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use nostr_relay_pool::{RelayLimits, RelayNotification};
use nostr_sdk::{
    ClientMessage, Event, EventId, Filter, JsonUtil, Relay, RelayMessage, RelayOptions, RelayPool,
    RelayPoolOptions, RelayStatus, RelayUrl, SubscriptionId,
};
use tokio::sync::Mutex;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::super::identity::{Draft, Identity};
use super::gate::Gate;
use super::transport::Transport;
use crate::model::text::clean;
use crate::ports::Http;

/// The kind by which a relay is told who we are.
const AUTH: u16 = 22_242;

/// How often one connection may ask who we are.
const MAX_ANSWERS: u8 = 3;

/// How long a listener's connection waits before it is opened again, the first time: the library
/// makes it longer, up to a minute.
const RETRY: Duration = Duration::from_secs(1);

/// Why an exchange cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The deadline has come.
    Late,
    /// The relay was quicker than we: something of what it said is lost.
    Missed,
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
            Self::Missed => f.write_str("the relay sent more at once than was read"),
            Self::Unreachable(reason)
            | Self::Lost { reason, .. }
            | Self::Unnamed { reason, .. } => f.write_str(reason),
        }
    }
}

/// The library's pool with our transport. Automatic authentication is off, and it keeps no events.
pub(super) struct Pool {
    pool: RelayPool,
    transport: Arc<Transport>,
    /// One relay at a time is put into the pool.
    adding: Mutex<()>,
}

impl Pool {
    /// Opens nothing. `open` counts its connections.
    pub(super) fn new(http: Arc<dyn Http>, open: TaskTracker) -> Self {
        let transport = Arc::new(Transport::new(http, open));
        let mut pool = RelayPool::builder().opts(
            RelayPoolOptions::new().automatic_authentication(false).notification_channel_size(1),
        );
        pool.websocket_transport = Arc::clone(&transport) as _;
        Self { pool: pool.build(), transport, adding: Mutex::default() }
    }

    /// A relay that is not connected yet. There must be no other one of this address in use.
    pub(super) async fn line(&self, written: &str, listening: bool) -> Result<Line, Broken> {
        let unusable = |why: String| Broken::Unreachable(why);
        let url = RelayUrl::parse(written).map_err(|error| unusable(error.to_string()))?;
        let gate = Arc::new(Gate::new(listening));
        let options = RelayOptions::new()
            .reconnect(listening)
            .retry_interval(RETRY)
            .ping(listening)
            .limits(RelayLimits::disable());
        let relay = {
            let _adding = self.adding.lock().await;
            // A relay is used for one connection: what the last one left in its queue, or a second
            // end of it, would meet the next.
            for (old, relay) in self.pool.all_relays().await {
                if relay.status() == RelayStatus::Terminated {
                    let _ = self.pool.force_remove_relay(old).await;
                }
            }
            self.transport.announce(&url, written, &gate);
            self.pool
                .add_relay(url.clone(), options)
                .await
                .map_err(|error| unusable(error.to_string()))?;
            self.pool.relay(url).await.map_err(|error| unusable(error.to_string()))?
        };
        let (heard, url) = (relay.notifications(), written.to_owned());
        Ok(Line {
            relay,
            heard,
            gate,
            url,
            challenge: None,
            answers: 0,
            subscriptions: 0,
            used: Instant::now(),
            spoke: false,
        })
    }

    /// A connection.
    pub(super) async fn open(&self, url: &str, deadline: Instant) -> Result<Line, Broken> {
        let line = self.line(url, false).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout_at(deadline, line.relay.try_connect(left)).await {
            Ok(Ok(())) => Ok(line),
            Ok(Err(nostr_relay_pool::relay::Error::Transport(error))) => {
                Err(Broken::Unreachable(error.to_string()))
            }
            Ok(Err(_)) => Err(Broken::Unreachable("no connection could be made".to_owned())),
            Err(_) => Err(Broken::Unreachable("no connection in time".to_owned())),
        }
    }

    /// Closes all connections. Nothing can be opened any more.
    pub(super) async fn close(&self) {
        self.pool.shutdown().await;
    }
}

/// What comes over a connection.
pub(super) enum Said {
    /// The relay's words.
    Message(Box<RelayMessage<'static>>),
    /// The connection is there.
    Connected,
    /// The connection is gone.
    Lost,
    /// Something was missed.
    Missed,
}

/// A connection.
pub(super) struct Line {
    pub(super) relay: Relay,
    /// Taken before anything was sent.
    heard: Receiver<RelayNotification>,
    pub(super) gate: Arc<Gate>,
    /// The relay's address, as it was written.
    pub(super) url: String,
    challenge: Option<String>,
    answers: u8,
    subscriptions: u64,
    /// When it was last used to an end.
    pub(super) used: Instant,
    /// Words came in since it was taken up.
    pub(super) spoke: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.relay.disconnect();
    }
}

impl Line {
    /// Waits for what comes next over the connection. `None` once the deadline has passed.
    ///
    /// # Cancel safety
    /// Safe to drop: nothing that came is lost.
    pub(super) async fn next(&mut self, deadline: Instant) -> Option<Said> {
        loop {
            // A timeout never fires while there is always something to read, as in a flood, so the
            // deadline is looked at first.
            if Instant::now() >= deadline {
                return None;
            }
            match timeout_at(deadline, self.heard.recv()).await.ok()? {
                Ok(RelayNotification::Message { message }) => {
                    self.spoke = true;
                    if let RelayMessage::Auth { challenge } = &message {
                        self.challenge = Some(challenge.clone().into_owned());
                    }
                    return Some(Said::Message(Box::new(message)));
                }
                Ok(RelayNotification::RelayStatus { status }) => match status {
                    RelayStatus::Connected => return Some(Said::Connected),
                    RelayStatus::Initialized | RelayStatus::Pending | RelayStatus::Connecting => {}
                    RelayStatus::Disconnected
                    | RelayStatus::Terminated
                    | RelayStatus::Banned
                    | RelayStatus::Sleeping => {
                        return Some(Said::Lost);
                    }
                },
                Ok(RelayNotification::Shutdown) | Err(RecvError::Closed) => {
                    return Some(Said::Lost);
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(Said::Missed),
            }
        }
    }

    /// The next message. It is an error when anything may be missing before it.
    ///
    /// # Cancel safety
    /// Safe to drop: nothing that came is lost.
    pub(super) async fn hear(
        &mut self,
        deadline: Instant,
    ) -> Result<RelayMessage<'static>, Broken> {
        loop {
            match self.next(deadline).await.ok_or(Broken::Late)? {
                Said::Message(message) => return Ok(*message),
                Said::Connected => {}
                Said::Lost => return Err(self.lost()),
                Said::Missed => return Err(Broken::Missed),
            }
        }
    }

    fn lost(&self) -> Broken {
        let (reason, too_large) = self.gate.end();
        Broken::Lost { reason, too_large }
    }

    fn send(&self, message: ClientMessage<'_>) -> Result<(), Broken> {
        self.relay.send_msg(message).map_err(|_| self.lost())
    }

    /// Asks for what a filter matches, under a name that is used once, so that late answers are
    /// told apart.
    pub(super) fn request(&mut self, filter: &Filter) -> Result<SubscriptionId, Broken> {
        self.subscriptions = self.subscriptions.wrapping_add(1);
        let subscription = SubscriptionId::new(format!("n{}", self.subscriptions));
        self.gate.asks(subscription.as_str());
        self.send(ClientMessage::Req {
            subscription_id: Cow::Borrowed(&subscription),
            filters: vec![Cow::Borrowed(filter)],
        })?;
        Ok(subscription)
    }

    /// Ends a subscription. Failing is fine: the next use will notice.
    pub(super) fn close(&self, subscription: SubscriptionId) {
        let _ = self.send(ClientMessage::close(subscription));
    }

    /// Puts an event.
    pub(super) fn put(&self, event: &Event) -> Result<(), Broken> {
        self.gate.puts(&event.id.to_hex());
        self.send(ClientMessage::Event(Cow::Borrowed(event)))
    }

    /// Says who we are, and waits for the relay to take it.
    pub(super) async fn answer(
        &mut self,
        identity: Option<&Identity>,
        now: u64,
        deadline: Instant,
    ) -> Result<(), Broken> {
        let identity = identity.ok_or_else(|| unnamed("the relay wants to know who asks", true))?;
        let challenge = loop {
            if let Some(challenge) = self.asked() {
                break challenge;
            }
            self.hear(deadline).await?;
        };
        let id = self.tell(identity, challenge, now)?;
        loop {
            match self.hear(deadline).await? {
                RelayMessage::Ok { event_id, status: true, .. } if event_id == id => return Ok(()),
                RelayMessage::Ok { event_id, message, .. } if event_id == id => {
                    return Err(not_taken(&message));
                }
                _ => {}
            }
        }
    }

    /// The question who we are that the relay has put and that was not answered. It is answered now
    /// or never.
    pub(super) fn asked(&mut self) -> Option<String> {
        self.challenge.take()
    }

    /// Says who we are, and waits for nothing: some relays never say whether they take it.
    pub(super) fn tell(
        &mut self,
        identity: &Identity,
        challenge: String,
        now: u64,
    ) -> Result<EventId, Broken> {
        self.answers = self.answers.saturating_add(1);
        if self.answers > MAX_ANSWERS {
            return Err(unnamed("the relay asks again and again who we are", false));
        }
        let tags = vec![
            vec!["relay".to_owned(), self.url.clone()],
            vec!["challenge".to_owned(), challenge],
        ];
        let event =
            identity.sign(Draft { kind: AUTH, created_at: now, tags, content: String::new() }).ok();
        let event = event.and_then(|event| Event::from_json(event.json()).ok());
        let event = event.ok_or_else(|| unnamed("the relay's question is too long", false))?;
        self.gate.puts(&event.id.to_hex());
        self.send(ClientMessage::Auth(Cow::Borrowed(&event)))?;
        Ok(event.id)
    }
}

/// The relay has a reason that begins like this.
pub(super) fn begins(reason: &str, prefix: &str) -> bool {
    reason
        .trim_start()
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ' ']))
}

/// The relay does not take our name, for this reason of its own.
pub(super) fn not_taken(reason: &str) -> Broken {
    let lasting = ["restricted", "blocked"].iter().any(|prefix| begins(reason, prefix));
    unnamed(&format!("the relay does not take our name: {}", clean(reason)), lasting)
}

fn unnamed(reason: &str, lasting: bool) -> Broken {
    Broken::Unnamed { reason: reason.to_owned(), lasting }
}
