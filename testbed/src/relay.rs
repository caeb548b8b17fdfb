//! A real Nostr relay on loopback that keeps its events in memory. It asks for no authentication
//! and slows nobody down.

use anyhow::Result;
use nostr_relay_builder::builder::{RateLimit, RelayBuilder};
use nostr_relay_builder::local::LocalRelay;

use crate::runtime::Own;

/// A relay of the bench; dropped, it is gone with its events.
#[derive(Debug)]
pub struct Relay {
    own: Own,
    url: String,
    _relay: LocalRelay,
}

impl Relay {
    /// Starts an empty relay on a free port.
    pub async fn start() -> Result<Self> {
        let own = Own::new("relay", 1)?;
        let limit = RateLimit { max_reqs: 1000, notes_per_minute: 1_000_000 };
        let relay = LocalRelay::new(RelayBuilder::default().rate_limit(limit));
        let running = relay.clone();
        let url = own
            .run(async move {
                running.run().await?;
                Ok(running.url().await.to_string())
            })
            .await?;
        Ok(Self { own, url, _relay: relay })
    }

    /// Where it answers: `ws://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it like a killed process: the port is closed and connections drop.
    pub async fn stop(self) {
        self.own.end().await;
    }
}
