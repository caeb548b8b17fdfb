//! Listening to a relay until nobody listens to us.
//!
//! Opens the connection again when it ends, after pauses that grow. What came while it was down is not heard: each
//! [`Heard::Connected`] tells the listener to ask for it. Never starts a task: the caller runs the future.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::super::event::Event;
use super::super::identity::Identity;
use super::filter::matches;
use super::frame::Frame;
use super::line::{Broken, Line, begins};
use super::{Heard, Relays};
use crate::ports::Http;

/// Events that wait for the listener; then the relay waits.
const WAITING: usize = 64;

/// How long opening and saying who we are may take.
const OPENING: Duration = Duration::from_secs(20);

/// How long a relay may be silent before it is asked whether it is there, and how long it then has.
const SILENCE: Duration = Duration::from_secs(45);
const ANSWER: Duration = Duration::from_secs(20);

/// Pauses between connections.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(60);

/// Ids that are remembered, so that a new connection does not say again what the old one said.
const REMEMBERED: usize = 4_096;

/// How long a relay has to send what it stored, before it is taken to be listening.
const STORED: Duration = Duration::from_secs(10);

/// Messages that are of no use, within so long, before a connection is given up. More than are remembered: what was stored is
/// said again over a new connection.
const MAX_USELESS: usize = 5_000;
const USELESS_WITHIN: Duration = Duration::from_secs(60);

impl Relays {
    /// A future that listens to what `filter` matches, and what it hears. It ends when the receiver is dropped, and the caller
    /// runs it; nothing happens before.
    pub fn listen(&self, url: String, filter: Value) -> (impl Future<Output = ()> + Send + use<>, mpsc::Receiver<Heard>) {
        let (say, hear) = mpsc::channel(WAITING);
        let listener =
            Listener { http: self.http.clone(), identity: self.identity.clone(), now: self.now, url, filter, say, seen: Seen::default() };
        (listener.run(), hear)
    }
}

struct Listener {
    http: Arc<dyn Http>,
    identity: Option<Identity>,
    now: fn() -> u64,
    url: String,
    filter: Value,
    say: mpsc::Sender<Heard>,
    seen: Seen,
}

/// The ids that were heard last.
#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// `false` when it was heard before.
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
    async fn run(mut self) {
        let gone = self.say.clone();
        tokio::select! {
            () = gone.closed() => {}
            () = self.connect_again_and_again() => {}
        }
    }

    async fn connect_again_and_again(&mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            if self.connection().await.is_ok() {
                return;
            }
            pause = if began.elapsed() >= GOOD { FIRST_PAUSE } else { pause };
            let jitter = rand::rng().random_range(0.5..1.0);
            sleep(pause.mul_f64(jitter)).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// One connection, to its end. `Ok` when nobody listens any more.
    async fn connection(&mut self) -> Result<(), Broken> {
        let opening = Instant::now() + OPENING;
        let mut line = Line::open(&self.http, &self.url, opening).await?;
        let mut subscription = self.request(&mut line, opening).await?;
        let (mut connected, mut named, mut useless) = (false, false, Useless::default());
        let connected_by = Instant::now() + STORED;
        loop {
            let silence = Instant::now() + SILENCE;
            let text = match line.hear(if connected { silence } else { connected_by }).await {
                Err(Broken::Late) if !connected => {
                    connected = true;
                    if self.say.send(Heard::Connected).await.is_err() {
                        return Ok(());
                    }
                    continue;
                }
                Err(Broken::Late) => {
                    line.ping(Instant::now() + ANSWER).await?;
                    line.hear(Instant::now() + ANSWER).await?
                }
                heard => heard?,
            };
            let say = match Frame::read(&text) {
                Frame::Event { subscription: of, event } if of == subscription => match Event::read(event) {
                    Ok(event) if matches(&self.filter, &event) && self.seen.insert(event.id()) => Some(Heard::Event(event)),
                    _ => None,
                },
                Frame::EndOfStored { subscription: of } if of == subscription && !connected => {
                    connected = true;
                    Some(Heard::Connected)
                }
                Frame::Closed { subscription: of, reason } if of == subscription => {
                    if named || !begins(&reason, "auth-required") {
                        return Err(lost("the relay ended the subscription"));
                    }
                    named = true;
                    let deadline = Instant::now() + OPENING;
                    line.answer(self.identity.as_ref(), (self.now)(), deadline).await?;
                    subscription = self.request(&mut line, deadline).await?;
                    continue;
                }
                Frame::Auth { challenge } => {
                    line.challenged(challenge);
                    None
                }
                _ => None,
            };
            let Some(say) = say else {
                if useless.one_more() {
                    return Err(lost("the relay sends too much that nobody asked for"));
                }
                continue;
            };
            if self.say.send(say).await.is_err() {
                return Ok(());
            }
        }
    }

    async fn request(&self, line: &mut Line, deadline: Instant) -> Result<String, Broken> {
        let subscription = line.next_subscription();
        line.send(json!(["REQ", subscription, self.filter]).to_string(), deadline).await?;
        Ok(subscription)
    }
}

/// How many messages were of no use lately.
#[derive(Default)]
struct Useless {
    since: Option<Instant>,
    count: usize,
}

impl Useless {
    /// `true` when they are too many.
    fn one_more(&mut self) -> bool {
        if self.since.is_none_or(|since| since.elapsed() > USELESS_WITHIN) {
            *self = Self { since: Some(Instant::now()), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count > MAX_USELESS
    }
}

fn lost(reason: &str) -> Broken {
    Broken::Lost { reason: reason.to_owned(), too_large: false }
}
