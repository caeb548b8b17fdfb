//! A real Nostr relay on loopback that keeps its events in memory, behind a door that can
//! misbehave: it refuses, forgets, lies, is slow or away, and writes down all that clients send.
//! Unless told so it asks for no authentication and slows nobody down.

mod door;
mod knobs;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use nostr_relay_builder::builder::{RateLimit, RelayBuilder};
use nostr_relay_builder::local::LocalRelay;
use nostr_relay_builder::prelude::{MemoryDatabase, MemoryDatabaseOptions};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::knobs::Knobs;
use crate::runtime::Own;

use self::knobs::Trap;
pub use self::knobs::{Around, Flood, Misrule, Veil};

/// A relay of the bench; dropped, it is gone with its events.
#[derive(Debug)]
pub struct Relay {
    own: Own,
    url: String,
    knobs: Arc<Knobs>,
    relay: LocalRelay,
}

impl Relay {
    /// Starts an empty relay on a free port.
    pub async fn start() -> Result<Self> {
        let own = Own::new("relay", 2)?;
        let limit = RateLimit { max_reqs: 1000, notes_per_minute: 1_000_000 };
        let events =
            MemoryDatabase::with_opts(MemoryDatabaseOptions { events: true, max_events: None });
        let relay = LocalRelay::new(RelayBuilder::default().rate_limit(limit).database(events));
        let running = relay.clone();
        let (behind, listener) = own
            .run(async move {
                running.run().await?;
                Ok((running.url().await.to_string(), TcpListener::bind("127.0.0.1:0").await?))
            })
            .await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let knobs = Arc::new(Knobs::new(behind));
        let relay = Self { own, url, knobs, relay };
        relay.open(listener)?;
        Ok(relay)
    }

    /// Where it answers: `ws://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it like a killed process: the port is closed and connections drop.
    pub async fn stop(self) {
        self.relay.shutdown();
        self.own.end().await;
    }

    /// Changes how it behaves from now on, also for connections that are open.
    pub fn rule(&self, change: impl FnOnce(&mut Misrule)) {
        change(&mut self.knobs.told().misrule);
    }

    /// Does this around the next event of this kind, once; what was to be done before is not any
    /// more.
    pub fn trap(&self, kind: u16, around: Around, then: impl Fn() + Send + Sync + 'static) {
        self.knobs.told().trap = Some(Trap { kind, around, then: Box::new(then) });
    }

    /// Does nothing more around events.
    pub fn disarm(&self) {
        self.knobs.told().trap = None;
    }

    /// How often that happened.
    #[must_use]
    pub fn sprung(&self) -> usize {
        self.knobs.told().sprung
    }

    /// Drops the connections that are open now.
    pub fn cut(&self) {
        self.knobs.told().cut.cancel();
        self.knobs.told().cut = CancellationToken::new();
    }

    /// Closes the port and drops all connections; its events stay.
    pub async fn go_down(&self) -> Result<()> {
        self.knobs.told().closed.cancel();
        self.cut();
        let address = self.address()?;
        self.own
            .run(async move {
                // The port is free once nobody accepts any more.
                while tokio::net::TcpStream::connect(&address).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok(())
            })
            .await
    }

    /// Answers again, on the same port, with the events it had.
    pub async fn come_up(&self) -> Result<()> {
        let address = self.address()?;
        let listener = self.own.run(async move { Ok(TcpListener::bind(&address).await?) }).await?;
        self.open(listener)
    }

    /// All that clients have sent, message after message, each on a line.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        self.knobs.told().heard.clone()
    }

    /// How many messages clients have sent.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.knobs.told().frames
    }

    /// How many bytes clients have sent, and how many they were sent.
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        let told = self.knobs.told();
        (told.heard.len(), told.said)
    }

    /// How many messages of this kind (`EVENT`, `REQ`, `AUTH`, `CLOSE`) clients have sent.
    #[must_use]
    pub fn frames_of(&self, label: &str) -> usize {
        let heard = self.heard();
        let begin = format!("[\"{label}\"");
        heard.split(|byte| *byte == b'\n').filter(|line| line.starts_with(begin.as_bytes())).count()
    }

    /// How many connections clients have opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.knobs.told().connections
    }

    /// Every event that was ever taken and kept, in order, those that were deleted or replaced
    /// since too.
    #[must_use]
    pub fn taken(&self) -> Vec<Value> {
        self.knobs.told().taken.clone()
    }

    /// The keys that clients have named as theirs.
    #[must_use]
    pub fn named(&self) -> Vec<String> {
        self.knobs.told().named.clone()
    }

    fn address(&self) -> Result<String> {
        Ok(self.url.strip_prefix("ws://").context("ws")?.to_owned())
    }

    fn open(&self, listener: TcpListener) -> Result<()> {
        let closed = CancellationToken::new();
        self.knobs.told().closed = closed.clone();
        let knobs = self.knobs.clone();
        self.own.handle()?.spawn(async move {
            let accept = async {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(door::serve(knobs.clone(), client));
                }
            };
            closed.run_until_cancelled(accept).await;
        });
        Ok(())
    }
}
