//! Progress notifications, for requests that carry a progress token.

use futures::future::BoxFuture;
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};

use crate::api::tools::{Progress, Silent};

struct Notes {
    peer: Peer<RoleServer>,
    token: ProgressToken,
}

impl Progress for Notes {
    fn note(&self, step: u32, text: &'static str) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let note = ProgressNotificationParam::new(self.token.clone(), f64::from(step))
                .with_message(text);
            // A client that no longer listens only misses a note.
            let _ = self.peer.notify_progress(note).await;
        })
    }
}

/// Returns the receiver of a request's progress notes.
pub(super) fn of(context: &RequestContext<RoleServer>) -> Box<dyn Progress> {
    match context.meta.get_progress_token() {
        Some(token) => Box::new(Notes { peer: context.peer.clone(), token }),
        None => Box::new(Silent),
    }
}
