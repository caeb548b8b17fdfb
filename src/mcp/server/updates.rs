//! Notices that a resource has changed, in both eras, driven by the wallet's own change counter.
//!
//! A notice says only that something changed; reading it is the client's next step. Nothing here outlives its session.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, SubscriptionContext};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::resources;
use crate::mcp::tools::ToolFailure;
use crate::wallet::Source;

/// The most resources one session may watch.
const WATCHED_MAX: usize = 100;

/// The part of a filter that this server can serve: addresses of resources that exist.
pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut filter = SubscriptionFilter::new();
    let uris = requested.resource_subscriptions.iter().flatten();
    let known: Vec<String> = uris.filter(|uri| resources::read_as_call(uri).is_some()).take(WATCHED_MAX).cloned().collect();
    filter.resource_subscriptions = (!known.is_empty()).then_some(known);
    filter
}

/// The newer era's subscription: runs until the client cancels it or the wallet closes.
pub(super) async fn listen(source: &dyn Source, subscription: &SubscriptionContext) -> Result<(), ErrorData> {
    let uris = subscription.accepted().resource_subscriptions.clone().unwrap_or_default();
    if uris.is_empty() {
        subscription.cancelled().await;
        return Ok(());
    }
    let mut changes = changes(source).await?;
    loop {
        tokio::select! {
            () = subscription.cancelled() => return Ok(()),
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
        }
        for uri in &uris {
            if subscription.sink().notify_resource_updated(uri.as_str()).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn changes(source: &dyn Source) -> Result<watch::Receiver<u64>, ErrorData> {
    let wallet = source.wallet().await.map_err(|error| resources::refused(ToolFailure::Failed(error)))?;
    Ok(wallet.changes())
}

/// The older era's subscriptions of one session.
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
    /// Sends notices of this resource from now on.
    pub(super) async fn subscribe(self: &Arc<Self>, source: &dyn Source, uri: String, peer: Peer<RoleServer>) -> Result<(), ErrorData> {
        if resources::read_as_call(&uri).is_none() {
            return Err(resources::not_found());
        }
        let changes = changes(source).await?;
        let start = {
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Sends no more notices of this resource.
    pub(super) fn unsubscribe(&self, uri: &str) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).uris.remove(uri);
    }

    /// Ends all of it, and waits until it has ended.
    pub(in crate::mcp) async fn end(&self) {
        self.ended.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn watch(self: Arc<Self>, changes: watch::Receiver<u64>, peer: Peer<RoleServer>) {
        let _ = self.ended.run_until_cancelled(self.relay(changes, &peer)).await;
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).running = false;
    }

    async fn relay(&self, mut changes: watch::Receiver<u64>, peer: &Peer<RoleServer>) {
        while changes.changed().await.is_ok() {
            let uris = self.watched.lock().unwrap_or_else(PoisonError::into_inner).uris.clone();
            for uri in uris {
                if peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_err() {
                    return;
                }
            }
        }
    }
}
