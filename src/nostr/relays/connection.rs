//! One connection to a relay: the library's `Relay`, its messages, and client authentication
//! (NIP-42).
//!
//! Every wait has a deadline. Dropping the connection closes it.

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

use super::super::identity::{Identity, UnsignedEvent};
use super::gate::Gate;
use super::transport::Transport;
use crate::model::text::clean;
use crate::ports::Http;

/// The kind of a client authentication event (NIP-42).
const AUTH: u16 = 22_242;

/// Maximum number of authentications on one connection.
const MAX_AUTHS: u8 = 3;

/// The first pause before a listener's connection is reopened. Later ones grow up to a minute.
const RETRY: Duration = Duration::from_secs(1);

/// Reason why an exchange cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExchangeError {
    /// The deadline passed.
    Timeout,
    /// The relay sent faster than the client read, so messages were lost.
    Lagged,
    /// No connection could be made.
    Unreachable(String),
    Lost {
        /// A reason from the relay, or one of ours.
        reason: String,
        /// The connection ended because a message was too large.
        too_large: bool,
    },
    /// The relay requires authentication (NIP-42), and there is no identity or it was rejected.
    AuthRequired {
        /// A reason from the relay, or one of ours.
        reason: String,
        /// The next attempt will fail as well.
        lasting: bool,
    },
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::Lagged => f.write_str("the relay sent more at once than was read"),
            Self::Unreachable(reason)
            | Self::Lost { reason, .. }
            | Self::AuthRequired { reason, .. } => f.write_str(reason),
        }
    }
}

/// The library's pool over our transport, without automatic authentication or stored events.
pub(super) struct Pool {
    pool: RelayPool,
    transport: Arc<Transport>,
    /// Allows one relay at a time to be added to the pool.
    adding: Mutex<()>,
}

impl Pool {
    /// Creates a pool without opening a connection. `open` counts its connections.
    pub(super) fn new(http: Arc<dyn Http>, open: TaskTracker) -> Self {
        let transport = Arc::new(Transport::new(http, open));
        let mut pool = RelayPool::builder().opts(
            RelayPoolOptions::new().automatic_authentication(false).notification_channel_size(1),
        );
        pool.websocket_transport = Arc::clone(&transport) as _;
        Self { pool: pool.build(), transport, adding: Mutex::default() }
    }

    /// Adds a relay without connecting to it. No other one with this address may be in use.
    pub(super) async fn connection(
        &self,
        written: &str,
        listening: bool,
    ) -> Result<RelayConnection, ExchangeError> {
        let unusable = |why: String| ExchangeError::Unreachable(why);
        let url = RelayUrl::parse(written).map_err(|error| unusable(error.to_string()))?;
        let gate = Arc::new(Gate::new(listening));
        let options = RelayOptions::new()
            .reconnect(listening)
            .retry_interval(RETRY)
            .ping(listening)
            .limits(RelayLimits::disable());
        let relay = {
            let _adding = self.adding.lock().await;
            // Each `Relay` serves one connection only: leftovers in its queue, or a late end of the
            // old connection, would otherwise reach the new one.
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
        let (notifications, url) = (relay.notifications(), written.to_owned());
        Ok(RelayConnection {
            relay,
            notifications,
            gate,
            url,
            challenge: None,
            auth_count: 0,
            subscriptions: 0,
            last_used: Instant::now(),
            has_received: false,
        })
    }

    /// Adds a relay and connects to it before the deadline.
    pub(super) async fn open(
        &self,
        url: &str,
        deadline: Instant,
    ) -> Result<RelayConnection, ExchangeError> {
        let connection = self.connection(url, false).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout_at(deadline, connection.relay.try_connect(left)).await {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(nostr_relay_pool::relay::Error::Transport(error))) => {
                Err(ExchangeError::Unreachable(error.to_string()))
            }
            Ok(Err(_)) => Err(ExchangeError::Unreachable("no connection could be made".to_owned())),
            Err(_) => Err(ExchangeError::Unreachable("no connection in time".to_owned())),
        }
    }

    /// Closes all connections. None can be opened afterwards.
    pub(super) async fn close(&self) {
        self.pool.shutdown().await;
    }
}

/// An event on a connection.
pub(super) enum ConnectionEvent {
    Message(Box<RelayMessage<'static>>),
    Connected,
    Lost,
    /// Messages were lost because they were read too slowly.
    Lagged,
}

pub(super) struct RelayConnection {
    pub(super) relay: Relay,
    /// Subscribed before anything was sent, so no message is missed.
    notifications: Receiver<RelayNotification>,
    pub(super) gate: Arc<Gate>,
    /// The relay's address as the owner wrote it.
    pub(super) url: String,
    challenge: Option<String>,
    auth_count: u8,
    subscriptions: u64,
    /// The end of the last exchange.
    pub(super) last_used: Instant,
    /// A message has arrived since the connection was last taken for an exchange.
    pub(super) has_received: bool,
}

impl Drop for RelayConnection {
    fn drop(&mut self) {
        self.relay.disconnect();
    }
}

impl RelayConnection {
    /// Waits for the next event on the connection. `None` once the deadline has passed.
    ///
    /// # Cancel safety
    /// Safe to drop: no event is lost.
    pub(super) async fn next(&mut self, deadline: Instant) -> Option<ConnectionEvent> {
        loop {
            // A timeout never fires while messages keep arriving, as in a flood, so the deadline is
            // checked first.
            if Instant::now() >= deadline {
                return None;
            }
            match timeout_at(deadline, self.notifications.recv()).await.ok()? {
                Ok(RelayNotification::Message { message }) => {
                    self.has_received = true;
                    if let RelayMessage::Auth { challenge } = &message {
                        self.challenge = Some(challenge.clone().into_owned());
                    }
                    return Some(ConnectionEvent::Message(Box::new(message)));
                }
                Ok(RelayNotification::RelayStatus { status }) => match status {
                    RelayStatus::Connected => return Some(ConnectionEvent::Connected),
                    RelayStatus::Initialized | RelayStatus::Pending | RelayStatus::Connecting => {}
                    RelayStatus::Disconnected
                    | RelayStatus::Terminated
                    | RelayStatus::Banned
                    | RelayStatus::Sleeping => {
                        return Some(ConnectionEvent::Lost);
                    }
                },
                Ok(RelayNotification::Shutdown) | Err(RecvError::Closed) => {
                    return Some(ConnectionEvent::Lost);
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(ConnectionEvent::Lagged),
            }
        }
    }

    /// Waits for the next message. Fails if a message may have been lost before it.
    ///
    /// # Cancel safety
    /// Safe to drop: no message is lost.
    pub(super) async fn next_message(
        &mut self,
        deadline: Instant,
    ) -> Result<RelayMessage<'static>, ExchangeError> {
        loop {
            match self.next(deadline).await.ok_or(ExchangeError::Timeout)? {
                ConnectionEvent::Message(message) => return Ok(*message),
                ConnectionEvent::Connected => {}
                ConnectionEvent::Lost => return Err(self.lost()),
                ConnectionEvent::Lagged => return Err(ExchangeError::Lagged),
            }
        }
    }

    fn lost(&self) -> ExchangeError {
        let (reason, too_large) = self.gate.end_reason();
        ExchangeError::Lost { reason, too_large }
    }

    fn send(&self, message: ClientMessage<'_>) -> Result<(), ExchangeError> {
        self.relay.send_msg(message).map_err(|_| self.lost())
    }

    /// Subscribes to a filter under an id that is used once, so late answers to an earlier request
    /// cannot be confused with this one's.
    pub(super) fn request(&mut self, filter: &Filter) -> Result<SubscriptionId, ExchangeError> {
        self.subscriptions = self.subscriptions.wrapping_add(1);
        let subscription = SubscriptionId::new(format!("n{}", self.subscriptions));
        self.gate.expect_events(subscription.as_str());
        self.send(ClientMessage::Req {
            subscription_id: Cow::Borrowed(&subscription),
            filters: vec![Cow::Borrowed(filter)],
        })?;
        Ok(subscription)
    }

    /// Ends a subscription. A failure is ignored: the next use of the connection reports it.
    pub(super) fn close(&self, subscription: SubscriptionId) {
        let _ = self.send(ClientMessage::close(subscription));
    }

    pub(super) fn put(&self, event: &Event) -> Result<(), ExchangeError> {
        self.gate.expect_ok(&event.id.to_hex());
        self.send(ClientMessage::Event(Cow::Borrowed(event)))
    }

    /// Authenticates (NIP-42) and waits for the relay's OK.
    pub(super) async fn authenticate(
        &mut self,
        identity: Option<&Identity>,
        now: u64,
        deadline: Instant,
    ) -> Result<(), ExchangeError> {
        let identity =
            identity.ok_or_else(|| auth_error("the relay requires authentication", true))?;
        let challenge = loop {
            if let Some(challenge) = self.take_challenge() {
                break challenge;
            }
            self.next_message(deadline).await?;
        };
        let id = self.send_auth(identity, challenge, now)?;
        loop {
            match self.next_message(deadline).await? {
                RelayMessage::Ok { event_id, status: true, .. } if event_id == id => return Ok(()),
                RelayMessage::Ok { event_id, message, .. } if event_id == id => {
                    return Err(auth_rejected(&message));
                }
                _ => {}
            }
        }
    }

    /// Takes the relay's challenge, if there is an unanswered one.
    pub(super) fn take_challenge(&mut self) -> Option<String> {
        self.challenge.take()
    }

    /// Sends the authentication event without waiting for an answer, since some relays send none.
    pub(super) fn send_auth(
        &mut self,
        identity: &Identity,
        challenge: String,
        now: u64,
    ) -> Result<EventId, ExchangeError> {
        self.auth_count = self.auth_count.saturating_add(1);
        if self.auth_count > MAX_AUTHS {
            return Err(auth_error("the relay keeps asking for authentication", false));
        }
        let tags = vec![
            vec!["relay".to_owned(), self.url.clone()],
            vec!["challenge".to_owned(), challenge],
        ];
        let event = identity
            .sign(UnsignedEvent { kind: AUTH, created_at: now, tags, content: String::new() })
            .ok();
        let event = event.and_then(|event| Event::from_json(event.json()).ok());
        let event = event.ok_or_else(|| auth_error("the relay's challenge is too long", false))?;
        self.gate.expect_ok(&event.id.to_hex());
        self.send(ClientMessage::Auth(Cow::Borrowed(&event)))?;
        Ok(event.id)
    }
}

/// Returns whether the reason has this machine-readable prefix (NIP-01).
pub(super) fn begins(reason: &str, prefix: &str) -> bool {
    reason
        .trim_start()
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ' ']))
}

/// The error for a relay that rejected the authentication with this reason.
pub(super) fn auth_rejected(reason: &str) -> ExchangeError {
    let lasting = ["restricted", "blocked"].iter().any(|prefix| begins(reason, prefix));
    auth_error(&format!("the relay rejects our authentication: {}", clean(reason)), lasting)
}

fn auth_error(reason: &str, lasting: bool) -> ExchangeError {
    ExchangeError::AuthRequired { reason: reason.to_owned(), lasting }
}
