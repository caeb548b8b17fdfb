//! Subscriptions to relays, so that other devices' proofs and incoming nutzaps are noticed at once.
//!
//! An event heard here only wakes the sync; nothing is stored.

use futures::future::join_all;
use serde_json::json;
use tokio::time::{Duration, sleep};

use crate::nostr::nutzap;
use crate::nostr::relays::ListenerEvent;
use crate::wallet::core::Core;
use crate::wallet::core::relays::{Link, MOST_RELAYS};
use crate::wallet::nutzaps::collect;
use crate::wallet::sync::OwnRelays;
use crate::wallet::wallet_event::known::about;

/// Overlap with earlier events, in seconds, because clocks differ and connections drop.
const OVERLAP: u64 = 600;

/// Subject of what was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Another device changed its proofs.
    Coins,
    /// A nutzap may have arrived.
    Nutzaps,
}
/// Delay after a change before the relay list is compared again.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(1);

impl OwnRelays<'_> {
    /// Subscribes until dropped; wakes the sync at news. Returns at once if Nostr is off.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn listen(self) {
        let core = self.0;
        let Some(link) = &core.nostr else { return };
        loop {
            let urls = arrivals(core, link).await;
            tokio::select! {
                () = listen_at(core, link, &urls) => return,
                () = listed_otherwise(core, link, &urls) => {}
            }
        }
    }

    /// Waits until something new is heard, and returns its subject.
    pub async fn news(self) -> News {
        let core = self.0;
        let Some(link) = &core.nostr else { return std::future::pending().await };
        tokio::select! {
            biased;
            () = link.news.notified() => News::Coins,
            () = link.nutzap_news.notified() => News::Nutzaps,
        }
    }
}

async fn arrivals(core: &Core, link: &Link) -> Vec<String> {
    collect::arrivals(link, &about(core).await.unwrap_or_default())
}

/// Waits until the wallet's nutzap list names different relays.
async fn listed_otherwise(core: &Core, link: &Link, urls: &[String]) {
    let mut changes = core.notices.subscribe();
    loop {
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
        sleep(LOOKED_AT_AGAIN).await;
        changes.mark_unchanged();
        if arrivals(core, link).await != urls {
            return;
        }
    }
}

async fn listen_at(core: &Core, link: &Link, urls: &[String]) {
    let (me, since) = (link.parts.identity.public_key(), (core.clock)().saturating_sub(OVERLAP));
    let mut listeners = Vec::new();
    // These are our own relays, so we authenticate if one requires it (NIP-42).
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
                    ListenerEvent::Event(event) => is_news(core, &event).await,
                    // On a reconnect, events may have been missed.
                    ListenerEvent::Connected => std::mem::replace(&mut before, true),
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

async fn is_news(core: &Core, event: &crate::nostr::Event) -> bool {
    let known = match event.kind() {
        nutzap::KIND => core.store.knows_nutzap(event.id()).await,
        _ => core.store.knows_token_event(event.id()).await,
    };
    !known.unwrap_or(false)
}
