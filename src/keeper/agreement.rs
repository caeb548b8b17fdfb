//! What a client and its keepers have agreed on, and a new keeper is told first: the handshake of
//! the older era, and the resources that are watched.
//!
//! Pure. Remembers no request that was not granted.

use serde_json::{Value, json};

use super::lost::Kind;

/// How the ids of our own requests to a new keeper begin. Their answers are nobody's.
const OURS: &str = "nutpurse/again/";
/// Some clients begin a line so.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What was agreed.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    /// The handshake of the older era, once it was answered.
    initialize: Option<Vec<u8>>,
    initialized: Option<Vec<u8>>,
    /// Resources that are watched, by the requests for it.
    watched: Vec<(String, Vec<u8>)>,
}

impl Agreement {
    /// A request was granted: some of them a new keeper must be told of.
    pub(super) fn granted(&mut self, kind: &Kind, request: Vec<u8>) {
        if *kind == Kind::Handshake {
            self.initialize = Some(request);
            return;
        }
        let Ok(message) = read(&request) else { return };
        let uri =
            message.pointer("/params/uri").and_then(Value::as_str).unwrap_or_default().to_owned();
        match message.get("method").and_then(Value::as_str) {
            Some("resources/subscribe") => {
                self.watched.retain(|(watched, _)| *watched != uri);
                self.watched.push((uri, request));
            }
            Some("resources/unsubscribe") => self.watched.retain(|(watched, _)| *watched != uri),
            _ => {}
        }
    }

    /// The client has said that it goes on after the handshake.
    pub(super) fn initialized(&mut self, notice: &[u8]) {
        self.initialized = Some(notice.to_vec());
    }

    /// A resource is watched.
    pub(super) fn watches(&self) -> bool {
        !self.watched.is_empty()
    }

    /// What a new keeper is told first, under ids of our own.
    pub(super) fn lines(&self) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        lines.extend(self.initialize.as_ref().and_then(|line| renamed(line, 0)));
        lines.extend(self.initialized.clone().filter(|_| self.initialize.is_some()));
        for (at, (_, line)) in self.watched.iter().enumerate() {
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

/// The same request under an id of ours.
fn renamed(line: &[u8], number: usize) -> Option<Vec<u8>> {
    let mut message = read(line).ok()?;
    *message.get_mut("id")? = json!(format!("{OURS}{number}"));
    serde_json::to_vec(&message).ok()
}
