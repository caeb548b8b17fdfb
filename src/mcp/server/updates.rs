//! Notices that a resource has changed, in both protocol eras, driven by the wallet's change
//! counter.
//!
//! A notice says only that something changed; the client then reads the resource. Nothing here
//! outlives its session.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, SubscriptionContext};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::resources;
use crate::api::Source;
use crate::api::tools::ToolFailure;

/// Maximum number of resources one session may watch.
const WATCHED_MAX: usize = 100;

/// The part of a filter that this server can serve: addresses of resources that exist.
pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut filter = SubscriptionFilter::new();
    let uris = requested.resource_subscriptions.iter().flatten();
    let known: Vec<String> = uris
        .filter(|uri| resources::read_as_call(uri).is_some())
        .take(WATCHED_MAX)
        .cloned()
        .collect();
    filter.resource_subscriptions = (!known.is_empty()).then_some(known);
    filter
}

async fn changes(source: &dyn Source) -> Result<watch::Receiver<u64>, ErrorData> {
    let wallet =
        source.wallet().await.map_err(|error| resources::refused(ToolFailure::Failed(error)))?;
    Ok(wallet.changes())
}

/// Sends a notice per watched resource and change, until the wallet closes or the client no longer
/// listens. All changes during one round of notices cause a single further round.
async fn relay<F: Future<Output = bool>>(
    mut changes: watch::Receiver<u64>,
    watched: impl Fn() -> Vec<String>,
    notify: impl Fn(String) -> F,
) {
    while changes.changed().await.is_ok() {
        for uri in watched() {
            if !notify(uri).await {
                return;
            }
        }
    }
}

/// The subscriptions of one session: those of the older era, and the signal that ends those of
/// both.
#[derive(Default)]
pub(in crate::mcp) struct Updates {
    watched: Mutex<Watched>,
    tasks: TaskTracker,
    ended: CancellationToken,
}

#[derive(Default)]
struct Watched {
    uris: BTreeSet<String>,
    running: bool,
}

impl Updates {
    /// Returns the token to cancel when the input has ended, since an open subscription would delay
    /// the end of the session.
    pub(in crate::mcp) fn input_ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Serves a subscription of the newer era until the client cancels it or leaves, or the wallet
    /// closes.
    pub(super) async fn listen(
        &self,
        source: &dyn Source,
        subscription: &SubscriptionContext,
    ) -> Result<(), ErrorData> {
        let uris = subscription.accepted().resource_subscriptions.clone().unwrap_or_default();
        let sink = subscription.sink().clone();
        let notify = move |uri: String| {
            let sink = sink.clone();
            async move { sink.notify_resource_updated(uri).await.is_ok() }
        };
        let notices = async {
            if uris.is_empty() {
                return std::future::pending().await;
            }
            relay(changes(source).await?, || uris.clone(), notify).await;
            Ok(())
        };
        tokio::select! {
            () = subscription.cancelled() => Ok(()),
            () = self.ended.cancelled() => Ok(()),
            outcome = notices => outcome,
        }
    }

    /// Sends notices of this resource from now on.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        source: &dyn Source,
        uri: String,
        peer: Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        if resources::read_as_call(&uri).is_none() {
            return Err(resources::not_found());
        }
        let changes = changes(source).await?;
        let start = {
            let mut watched = self.watched();
            if watched.uris.len() >= WATCHED_MAX && !watched.uris.contains(&uri) {
                return Err(ErrorData::invalid_params("Too many subscriptions.", None));
            }
            watched.uris.insert(uri);
            !std::mem::replace(&mut watched.running, true)
        };
        if start {
            self.tasks.spawn(Arc::clone(self).watch(changes, peer));
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&self, uri: &str) {
        self.watched().uris.remove(uri);
    }

    /// Ends all subscriptions, and waits until they have ended.
    pub(in crate::mcp) async fn end(&self) {
        self.ended.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn watch(self: Arc<Self>, changes: watch::Receiver<u64>, peer: Peer<RoleServer>) {
        let notify = move |uri: String| {
            let peer = peer.clone();
            async move {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri))
                    .await
                    .is_ok()
            }
        };
        let notices = relay(changes, || self.watched().uris.iter().cloned().collect(), notify);
        let _ = self.ended.run_until_cancelled(notices).await;
        self.watched().running = false;
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resources_that_exist_can_be_watched() {
        let mut filter = SubscriptionFilter::new();
        filter.resource_subscriptions =
            Some(vec!["wallet://balance".to_owned(), "wallet://keys".to_owned()]);
        filter.tools_list_changed = Some(true);
        let filter = accepted(&filter);
        assert_eq!(filter.resource_subscriptions, Some(vec!["wallet://balance".to_owned()]));
        assert_eq!(filter.tools_list_changed, None, "the list of tools never changes");
    }

    #[tokio::test]
    async fn every_change_is_told_and_the_end_of_the_wallet_ends_it() {
        let (wallet, changes) = watch::channel(0);
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let notices = relay(
            changes,
            || vec!["a".to_owned(), "b".to_owned()],
            |uri| std::future::ready(told.send(uri).is_ok()),
        );
        let story = async {
            wallet.send_replace(1);
            assert_eq!(
                (heard.recv().await, heard.recv().await),
                (Some("a".to_owned()), Some("b".to_owned()))
            );
            wallet.send_replace(2);
            assert_eq!(heard.recv().await, Some("a".to_owned()));
            drop(wallet);
        };
        tokio::join!(notices, story);
    }
}
