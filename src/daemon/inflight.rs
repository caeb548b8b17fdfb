//! Tracks the requests in flight between a client and its daemon, and decides what happens to them
//! once the daemon is gone.
//!
//! Pure. Never changes a line.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::lost_reply::{self, RequestKind};
use super::replay::{SessionReplay, is_ours, read};

/// The member of `_meta` in which a request of the newer protocol era carries its version.
const MODERN: &str = "io.modelcontextprotocol/protocolVersion";
/// Seconds after which a request is answered with an error: more than the longest call takes.
const ANSWER_TIMEOUT: u32 = 47;

/// How many daemons may read a request and end without an answer before the request gets an error.
const MAX_DAEMONS: u32 = 2;
/// Maximum number of open requests; the client is not read from while there are as many.
const MAX_OPEN: usize = 256;
/// Seconds that a daemon may take to end once it has ended its subscriptions.
const DAEMON_END: u32 = 10;

/// A request that has no answer yet.
#[derive(Debug)]
struct OpenRequest {
    id: Value,
    kind: RequestKind,
    is_modern: bool,
    line: Vec<u8>,
    /// The line's number on this connection. `None`: not sent yet.
    number: Option<u64>,
    /// Seconds waited, without the time in which the machine slept.
    waited: u32,
    /// The number of daemons that have read it and ended.
    daemons: u32,
}

/// The requests in flight, and those that are sent to a new daemon first.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    open: Vec<OpenRequest>,
    /// Subscriptions that the daemon has ended, each with the daemon's line and the seconds since.
    /// A daemon that is about to end ends them first, and the next one continues them; otherwise
    /// the client gets the line.
    ended: Vec<(OpenRequest, Vec<u8>, u32)>,
    /// Ids that the shim has answered itself; the daemon's answers to them are dropped.
    answered: Vec<Value>,
    /// Requests that the shim has answered before they were sent.
    given_up: Vec<Vec<u8>>,
    replay: SessionReplay,
}

/// The lines that the shim sends once a daemon is gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failover {
    /// Lines for the next daemon, in this order.
    pub(super) resend: Vec<Vec<u8>>,
    /// Lines for the client.
    pub(super) answers: Vec<Vec<u8>>,
}

/// The members of a daemon's line that matter here.
#[derive(Deserialize)]
struct ReplyLine {
    id: Option<Value>,
    method: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl InFlight {
    /// Records a client's line that is about to be sent, as the `number`th on this connection.
    pub(super) fn sending(&mut self, line: &[u8], number: u64) {
        if let Some(open) =
            self.open.iter_mut().find(|open| open.number.is_none() && open.line == line)
        {
            open.number = Some(number);
            return;
        }
        let Ok(message) = read(line) else { return };
        let Some(method) = message.get("method").and_then(Value::as_str) else { return };
        let params = message.get("params").unwrap_or(&Value::Null);
        match message.get("id").filter(|id| !id.is_null()) {
            Some(id) if is_ours(id) => {}
            Some(id) => {
                let is_modern =
                    params.pointer(&format!("/_meta/{}", MODERN.replace('/', "~1"))).is_some();
                let kind = RequestKind::of(method, params);
                self.answered.retain(|answered| answered != id);
                let open = OpenRequest {
                    id: id.clone(),
                    kind,
                    is_modern,
                    line: line.to_vec(),
                    number: Some(number),
                    waited: 0,
                    daemons: 0,
                };
                self.open.push(open);
            }
            None => match method {
                "notifications/initialized" => self.replay.initialized(line),
                // The daemon does not answer a cancelled request.
                "notifications/cancelled" => {
                    let id = params.get("requestId");
                    self.open.retain(|open| Some(&open.id) != id);
                    self.ended.retain(|(open, ..)| Some(&open.id) != id);
                }
                _ => {}
            },
        }
    }

    /// Records a daemon's line. `false`: it is not for the client.
    pub(super) fn received(&mut self, line: &[u8]) -> bool {
        let Ok(received) = serde_json::from_slice::<ReplyLine>(line) else { return false };
        let (Some(id), None) = (received.id, received.method) else { return true };
        if is_ours(&id) {
            return false;
        }
        if let Some(at) = self.answered.iter().position(|answered| *answered == id) {
            self.answered.swap_remove(at);
            return false;
        }
        if let Some(at) = self.open.iter().position(|open| open.id == id) {
            let open = self.open.remove(at);
            match (open.kind == RequestKind::Listen, received.error) {
                (true, None) => {
                    self.ended.push((open, [line, b"\n"].concat(), 0));
                    return false;
                }
                (false, None) => self.replay.granted(&open.kind, open.line),
                (_, Some(_)) => {}
            }
        }
        true
    }

    /// Records that the daemon is gone and has read at most `read` lines. A request that it may
    /// have begun and that could move money is answered; the others are for the next daemon.
    pub(super) fn daemon_gone(&mut self, read: u64) -> Failover {
        self.answered.clear();
        self.open.extend(self.ended.drain(..).map(|(open, ..)| open));
        let mut failover = Failover { resend: self.replay.lines(), answers: Vec::new() };
        for mut open in std::mem::take(&mut self.open) {
            let was_read = open.number.is_some_and(|number| number <= read);
            if let (RequestKind::Writes(write), true) = (&open.kind, was_read) {
                failover.answers.push(lost_reply::unknown(&open.id, write, open.is_modern));
                continue;
            }
            open.daemons = open
                .daemons
                .saturating_add(u32::from(was_read && open.kind != RequestKind::Listen));
            if open.daemons >= MAX_DAEMONS {
                failover.answers.push(lost_reply::unanswered(&open.id, &open.kind, open.is_modern));
                continue;
            }
            open.number = None;
            failover.resend.push(open.line.clone());
            self.open.push(open);
        }
        failover
    }

    /// Returns the answers to all requests that will get no other, once the client is gone.
    pub(super) fn end(&mut self) -> Vec<Vec<u8>> {
        self.ended.clear();
        let open = std::mem::take(&mut self.open)
            .into_iter()
            .filter(|open| open.kind != RequestKind::Listen);
        open.map(|open| lost_reply::unanswered(&open.id, &open.kind, open.is_modern)).collect()
    }

    /// Returns whether no further request may be opened.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MAX_OPEN
    }

    /// Returns `true`, once, for a request that was answered while it waited to be sent.
    pub(super) fn is_given_up(&mut self, line: &[u8]) -> bool {
        let at = self.given_up.iter().position(|given_up| given_up == line);
        at.is_some_and(|at| !self.given_up.swap_remove(at).is_empty())
    }

    /// Returns whether a request is open or a resource is subscribed to.
    pub(super) fn needs_daemon(&self) -> bool {
        !self.open.is_empty() || self.replay.has_subscriptions()
    }

    /// Counts one second. Returns the answers to requests that have waited too long.
    pub(super) fn tick(&mut self) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        self.ended.retain_mut(|(_, told, seconds)| {
            *seconds = seconds.saturating_add(1);
            let is_over = *seconds > DAEMON_END;
            if is_over {
                answers.push(std::mem::take(told));
            }
            !is_over
        });
        let (open, answered, given_up) = (&mut self.open, &mut self.answered, &mut self.given_up);
        open.retain_mut(|open| {
            open.waited = open.waited.saturating_add(1);
            let is_late = open.waited > ANSWER_TIMEOUT && open.kind != RequestKind::Listen;
            if is_late && open.number.is_some() {
                answers.push(lost_reply::unanswered(&open.id, &open.kind, open.is_modern));
                answered.push(open.id.clone());
            } else if is_late {
                answers.push(lost_reply::not_sent(&open.id, &open.kind, open.is_modern));
                given_up.push(std::mem::take(&mut open.line));
            }
            !is_late
        });
        answers
    }
}

#[cfg(test)]
mod tests;
