//! The requests that are sent to a new daemon first, to restore the session: the handshake of the
//! older protocol era, and the subscriptions to resources.
//!
//! Pure. Never stores a request that was not granted.

use serde_json::{Value, json};

use super::lost_reply::RequestKind;

/// The prefix of the shim's own request ids. The answers to them are not passed on to the client.
const OURS: &str = "nutpurse/again/";
/// The UTF-8 byte order mark, with which some clients begin a line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The requests that were granted in this session.
#[derive(Debug, Default)]
pub(super) struct SessionReplay {
    /// The handshake of the older era, once it was answered.
    initialize: Option<Vec<u8>>,
    initialized: Option<Vec<u8>>,
    /// The subscriptions: a resource's address and the request.
    subscriptions: Vec<(String, Vec<u8>)>,
}

impl SessionReplay {
    /// Stores a granted request that must be sent to a new daemon.
    pub(super) fn granted(&mut self, kind: &RequestKind, request: Vec<u8>) {
        if *kind == RequestKind::Handshake {
            self.initialize = Some(request);
            return;
        }
        let Ok(message) = read(&request) else { return };
        let uri =
            message.pointer("/params/uri").and_then(Value::as_str).unwrap_or_default().to_owned();
        match message.get("method").and_then(Value::as_str) {
            Some("resources/subscribe") => {
                self.subscriptions.retain(|(subscribed, _)| *subscribed != uri);
                self.subscriptions.push((uri, request));
            }
            Some("resources/unsubscribe") => {
                self.subscriptions.retain(|(subscribed, _)| *subscribed != uri)
            }
            _ => {}
        }
    }

    pub(super) fn initialized(&mut self, notice: &[u8]) {
        self.initialized = Some(notice.to_vec());
    }

    /// Returns whether the client has subscribed to a resource.
    pub(super) fn has_subscriptions(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// Returns the requests for a new daemon, with the shim's own ids.
    pub(super) fn lines(&self) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        lines.extend(self.initialize.as_ref().and_then(|line| renamed(line, 0)));
        lines.extend(self.initialized.clone().filter(|_| self.initialize.is_some()));
        for (at, (_, line)) in self.subscriptions.iter().enumerate() {
            lines.extend(renamed(line, at.saturating_add(1)));
        }
        lines
    }
}

pub(super) fn is_ours(id: &Value) -> bool {
    id.as_str().is_some_and(|id| id.starts_with(OURS))
}

pub(super) fn read(line: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line))
}

/// Copies a request with one of the shim's own ids.
fn renamed(line: &[u8], number: usize) -> Option<Vec<u8>> {
    let mut message = read(line).ok()?;
    *message.get_mut("id")? = json!(format!("{OURS}{number}"));
    serde_json::to_vec(&message).ok()
}
