//! Listening to relays: another device's coins and somebody's nutzap are seen when they come, not
//! at the next period.
//!
//! What is heard is only a reason to look: nothing is taken in here.

use futures::future::join_all;
use serde_json::json;
use tokio::time::{Duration, sleep};

use super::super::Wallet;
use super::{Link, MOST_RELAYS, nutzaps::arrivals};
use crate::nostr::nutzap;
use crate::nostr::relays::Heard;

/// Events this much older are heard too: clocks differ, and a connection may have been away. In
/// seconds.
const OVERLAP: u64 = 600;

/// What was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Another device has changed coins.
    Coins,
    /// A nutzap may have come.
    Nutzaps,
}
/// How soon after a change it is looked whether the list of relays is another.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(1);

impl Wallet {
    /// Listens until it is dropped, and wakes the sync when something new is heard. Returns at once
    /// when Nostr is off.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn listen(&self) {
        let Some(link) = &self.nostr else { return };
        loop {
            let urls = self.arrivals(link).await;
            tokio::select! {
                () = self.listen_at(link, &urls) => return,
                () = self.listed_otherwise(link, &urls) => {}
            }
        }
    }

    async fn arrivals(&self, link: &Link) -> Vec<String> {
        arrivals(link, &self.about().await.unwrap_or_default())
    }

    /// Returns when the wallet's own list names other relays for nutzaps.
    async fn listed_otherwise(&self, link: &Link, urls: &[String]) {
        let mut changes = self.notices.subscribe();
        loop {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
            sleep(LOOKED_AT_AGAIN).await;
            changes.mark_unchanged();
            if self.arrivals(link).await != urls {
                return;
            }
        }
    }

    async fn listen_at(&self, link: &Link, urls: &[String]) {
        let (me, since) =
            (link.parts.identity.public_key(), (self.clock)().saturating_sub(OVERLAP));
        let mut listeners = Vec::new();
        // All of these are relays of ours: one that insists is told who we are.
        let relays = &link.parts.relays;
        for url in urls.iter().take(MOST_RELAYS).cloned() {
            if link.is_own(&url) {
                let filter = json!({"kinds": [7375], "authors": [me], "since": since});
                listeners.push((relays.listen(url.clone(), filter), &link.news));
            }
            if link.parts.nutzaps {
                let filter = json!({"kinds": [nutzap::KIND], "#p": [me], "since": since});
                listeners.push((relays.listen(url, filter), &link.nutzap_news));
            }
        }
        join_all(listeners.into_iter().map(|((listening, mut heard), of)| async move {
            let hearing = async {
                let mut before = false;
                while let Some(what) = heard.recv().await {
                    let news = match what {
                        Heard::Event(event) => self.is_news(&event).await,
                        // What came while the relay was away is asked for.
                        Heard::Connected => std::mem::replace(&mut before, true),
                    };
                    if news {
                        of.notify_one();
                    }
                }
            };
            tokio::join!(listening, hearing)
        }))
        .await;
    }

    async fn is_news(&self, event: &crate::nostr::Event) -> bool {
        let known = match event.kind() {
            nutzap::KIND => self.store.knows_nutzap(event.id()).await,
            _ => self.store.knows_token_event(event.id()).await,
        };
        !known.unwrap_or(false)
    }

    /// Returns when something new was heard, and what it is about.
    pub async fn news(&self) -> News {
        let Some(link) = &self.nostr else { return std::future::pending().await };
        tokio::select! {
            biased;
            () = link.news.notified() => News::Coins,
            () = link.nutzap_news.notified() => News::Nutzaps,
        }
    }
}
