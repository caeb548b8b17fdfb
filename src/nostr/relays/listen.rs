//! Subscribes to one relay until the receiver is dropped.
//!
//! The library reopens a lost connection after growing pauses and pings the relay. Events sent
//! while the connection was down are missed, so each [`ListenerEvent::Connected`] means that the
//! receiver should query for them. The caller runs the future; dropping it ends the subscription.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Filter, JsonUtil, RelayMessage, RelayStatus};
use rand::Rng;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::super::event::Event;
use super::super::identity::Identity;
use super::connection::{ConnectionEvent, ExchangeError, Pool, begins};
use super::{ListenerEvent, Relays, asks_for, filter_of};
use crate::ports::Http;

/// Maximum number of events that wait for the receiver; then the connection waits and may lag.
const WAITING: usize = 64;

/// Time limit for authentication.
const AUTH_TIMEOUT: Duration = Duration::from_secs(20);

/// Pause after a relay has refused a subscription.
const PAUSE: Duration = Duration::from_secs(60);

/// Number of ids remembered, so that stored events are not delivered again after a reconnect.
const REMEMBERED: usize = 4_096;

/// How long it takes until a relay counts as connected even if its stored events have not ended.
const STORED: Duration = Duration::from_secs(10);

/// A deadline that is never reached in practice.
const A_DAY: Duration = Duration::from_secs(86_400);

impl Relays {
    /// Returns a future that subscribes to `filter`, and the receiver of its events. The caller
    /// runs the future; it ends when the receiver is dropped.
    pub fn listen(
        &self,
        url: String,
        filter: Value,
    ) -> (impl Future<Output = ()> + Send + use<>, mpsc::Receiver<ListenerEvent>) {
        let (say, hear) = mpsc::channel(WAITING);
        let (http, identity, open) = (self.http.clone(), self.identity.clone(), self.open.clone());
        let listener =
            Listener { http, open, identity, now: self.now, url, say, seen: SeenIds::default() };
        (listener.run(filter_of(&filter)), hear)
    }
}

struct Listener {
    http: Arc<dyn Http>,
    open: TaskTracker,
    identity: Option<Identity>,
    now: fn() -> u64,
    url: String,
    say: mpsc::Sender<ListenerEvent>,
    seen: SeenIds,
}

/// The latest event ids.
#[derive(Default)]
struct SeenIds {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl SeenIds {
    /// Returns `false` if the id was already there.
    fn insert(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl Listener {
    async fn run(mut self, filter: Option<Filter>) {
        let gone = self.say.clone();
        tokio::select! {
            () = gone.closed() => {}
            () = self.again_and_again(filter) => {}
        }
    }

    async fn again_and_again(&mut self, filter: Option<Filter>) {
        let Some(filter) = filter else { return };
        // This pool is separate, so the connection does not take turns with other requests.
        let pool = Pool::new(self.http.clone(), self.open.clone());
        while let Err(error) = self.listen(&pool, &filter).await {
            tracing::debug!(relay = %self.url, %error, "a relay subscription failed");
            let jitter = rand::rng().random_range(0.5..1.0);
            sleep(PAUSE.mul_f64(jitter)).await;
        }
    }

    /// Listens until the relay ends the subscription. `Ok` once the receiver is dropped.
    async fn listen(&mut self, pool: &Pool, filter: &Filter) -> Result<(), ExchangeError> {
        let mut connection = pool.connection(&self.url, true).await?;
        connection.relay.connect();
        let (mut subscription, mut authenticated) = (None, false);
        // The deadline for the stored events.
        let mut stored_by = None;
        loop {
            let say = match connection
                .next(stored_by.unwrap_or_else(|| Instant::now() + A_DAY))
                .await
            {
                None => stored_by.take().map(|_| ListenerEvent::Connected),
                Some(ConnectionEvent::Lost) => {
                    (subscription, stored_by) = (None, None);
                    None
                }
                Some(ConnectionEvent::Lagged)
                    if connection.relay.status() != RelayStatus::Connected =>
                {
                    None
                }
                Some(ConnectionEvent::Connected | ConnectionEvent::Lagged) => {
                    subscription = Some(connection.request(filter)?);
                    (stored_by, authenticated) = (Some(Instant::now() + STORED), false);
                    None
                }
                Some(ConnectionEvent::Message(message)) => match *message {
                    RelayMessage::Event { subscription_id, event }
                        if Some(&*subscription_id) == subscription.as_ref() =>
                    {
                        let checked =
                            Event::read(&event.as_json()).ok().filter(|_| asks_for(filter, &event));
                        let fresh = checked.filter(|event| self.seen.insert(event.id()));
                        if fresh.is_none() {
                            connection.gate.useless().map_err(|flood| ExchangeError::Lost {
                                reason: flood.to_string(),
                                too_large: false,
                            })?;
                        }
                        fresh.map(ListenerEvent::Event)
                    }
                    RelayMessage::EndOfStoredEvents(of) if Some(&*of) == subscription.as_ref() => {
                        stored_by.take().map(|_| ListenerEvent::Connected)
                    }
                    RelayMessage::Closed { subscription_id, message }
                        if Some(&*subscription_id) == subscription.as_ref() =>
                    {
                        if authenticated || !begins(&message, "auth-required") {
                            return Err(ExchangeError::Lost {
                                reason: "the relay ended the subscription".to_owned(),
                                too_large: false,
                            });
                        }
                        authenticated = true;
                        connection
                            .authenticate(
                                self.identity.as_ref(),
                                (self.now)(),
                                Instant::now() + AUTH_TIMEOUT,
                            )
                            .await?;
                        subscription = Some(connection.request(filter)?);
                        None
                    }
                    _ => None,
                },
            };
            if let Some(say) = say
                && self.say.send(say).await.is_err()
            {
                return Ok(());
            }
        }
    }
}
