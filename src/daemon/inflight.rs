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

/// The number of daemons that end on a read before it is answered with an error.
const MAX_DAEMONS: u32 = 2;
/// The most open requests; the client is not read from while there are as many.
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

    /// Returns `true` if no further request may be opened.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MAX_OPEN
    }

    /// Returns `true`, once, for a request that was answered while it waited to be sent.
    pub(super) fn is_given_up(&mut self, line: &[u8]) -> bool {
        let at = self.given_up.iter().position(|given_up| given_up == line);
        at.is_some_and(|at| !self.given_up.swap_remove(at).is_empty())
    }

    /// Returns `true` if a request is open or a resource is subscribed to.
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
mod tests {
    use serde_json::json;

    use super::*;

    fn call(id: u64, tool: &str) -> Vec<u8> {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"idempotency_key": "k"}}})
            .to_string()
            .into_bytes()
    }

    fn request(id: &str, method: &str, params: &Value) -> Vec<u8> {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            .to_string()
            .into_bytes()
    }

    fn answer(id: &Value) -> Vec<u8> {
        json!({"jsonrpc": "2.0", "id": id, "result": {}}).to_string().into_bytes()
    }

    fn text(lines: &[Vec<u8>]) -> Vec<String> {
        lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn a_call_that_may_have_been_made_is_told_unknown_and_never_sent_again() {
        let mut requests = InFlight::default();
        requests.sending(&call(1, "pay"), 1);
        requests.sending(&call(2, "get_balance"), 2);
        requests.sending(&call(3, "send_token"), 3);
        assert!(requests.received(&answer(&json!(1))));
        let failover = requests.daemon_gone(3);
        assert_eq!(text(&failover.resend), text(&[call(2, "get_balance")]));
        assert_eq!(failover.answers.len(), 1);
        assert!(
            text(&failover.answers)[0].contains("\"id\":3")
                && text(&failover.answers)[0].contains("outcome_unknown")
        );
        assert_eq!(requests.daemon_gone(0).answers.len(), 0, "told once");
    }

    #[test]
    fn a_call_that_was_never_read_is_for_the_next_daemon() {
        let mut requests = InFlight::default();
        requests.sending(&call(1, "pay"), 1);
        requests.sending(&call(2, "pay"), 2);
        let failover = requests.daemon_gone(1);
        assert_eq!((text(&failover.resend), failover.answers.len()), (text(&[call(2, "pay")]), 1));
        requests.sending(&call(2, "pay"), 1);
        assert_eq!(
            requests.daemon_gone(1).answers.len(),
            1,
            "it was sent on the second connection"
        );
    }

    #[test]
    fn what_was_granted_is_requested_again_under_ids_of_our_own() {
        let mut requests = InFlight::default();
        let initialize = request("a", "initialize", &json!({"protocolVersion": "2025-11-25"}));
        requests.sending(&initialize, 1);
        let unanswered = requests.daemon_gone(1);
        assert_eq!(
            text(&unanswered.resend),
            text(std::slice::from_ref(&initialize)),
            "still the client's own request"
        );
        requests.sending(&initialize, 1);
        assert!(requests.received(&answer(&json!("a"))));
        requests.sending(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 2);
        requests
            .sending(&request("b", "resources/subscribe", &json!({"uri": "wallet://balance"})), 3);
        assert!(requests.received(&answer(&json!("b"))));
        let again = text(&requests.daemon_gone(3).resend);
        assert_eq!(again.len(), 3, "{again:?}");
        assert!(
            again[0].contains("nutpurse/again/0")
                && again[1].contains("initialized")
                && again[2].contains("wallet://balance")
        );
        assert!(
            !requests.received(&answer(&json!("nutpurse/again/0"))),
            "its answer is not for the client"
        );
        requests.sending(
            &request("c", "resources/unsubscribe", &json!({"uri": "wallet://balance"})),
            4,
        );
        assert!(requests.received(&answer(&json!("c"))));
        assert_eq!(requests.daemon_gone(4).resend.len(), 2);
    }

    #[test]
    fn what_was_cancelled_is_not_asked_again() {
        let mut requests = InFlight::default();
        requests.sending(&call(1, "get_balance"), 1);
        requests.sending(
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            2,
        );
        requests.sending(&request("l", "subscriptions/listen", &json!({})), 3);
        assert!(!requests.received(&answer(&json!("l"))));
        requests.sending(
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#,
            4,
        );
        assert_eq!(requests.daemon_gone(4), Failover::default());
    }

    #[test]
    fn nobody_waits_for_ever_and_what_comes_late_is_dropped() {
        let mut requests = InFlight::default();
        requests.sending(&call(1, "pay"), 1);
        requests.sending(&call(2, "get_balance"), 2);
        requests.sending(&request("l", "subscriptions/listen", &json!({})), 3);
        let late: Vec<_> = (0..ANSWER_TIMEOUT + 2).flat_map(|_| requests.tick()).collect();
        let late = text(&late);
        assert_eq!(late.len(), 2, "{late:?}");
        assert!(late[0].contains("outcome_unknown") && late[1].contains("wallet_busy"));
        assert!(!requests.received(&answer(&json!(1))), "its answer is dropped");
    }

    #[test]
    fn a_subscription_outlives_its_daemon_and_its_end_is_told_where_the_daemon_stays() {
        let mut requests = InFlight::default();
        let listen = request("l", "subscriptions/listen", &json!({}));
        requests.sending(&listen, 1);
        assert!(!requests.received(&answer(&json!("l"))), "the daemon may be ending");
        assert_eq!(text(&requests.daemon_gone(1).resend), text(std::slice::from_ref(&listen)));
        requests.sending(&listen, 1);
        assert!(!requests.received(&answer(&json!("l"))));
        let told: Vec<_> = (0..DAEMON_END + 2).flat_map(|_| requests.tick()).collect();
        assert_eq!(told.len(), 1);
        assert_eq!(requests.daemon_gone(1), Failover::default());
    }

    #[test]
    fn what_was_answered_before_it_was_sent_is_not_sent_any_more() {
        let mut requests = InFlight::default();
        requests.sending(&call(1, "pay"), 1);
        assert_eq!(text(&requests.daemon_gone(0).resend), text(&[call(1, "pay")]));
        let told: Vec<_> = (0..=ANSWER_TIMEOUT).flat_map(|_| requests.tick()).collect();
        assert!(told.len() == 1 && text(&told)[0].contains("wallet_busy"), "{told:?}");
        assert!(requests.is_given_up(&call(1, "pay")) && !requests.is_given_up(&call(1, "pay")));
    }

    #[test]
    fn a_read_that_two_daemons_did_not_outlive_is_not_given_to_a_third() {
        let mut requests = InFlight::default();
        let read = call(1, "list_history");
        requests.sending(&read, 1);
        assert_eq!(requests.daemon_gone(1).resend.len(), 1);
        requests.sending(&read, 1);
        let failover = requests.daemon_gone(1);
        assert_eq!((failover.resend.len(), failover.answers.len()), (0, 1));
    }

    #[test]
    fn notices_pass_and_what_is_no_message_does_not() {
        let mut requests = InFlight::default();
        assert!(
            requests
                .received(br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#)
        );
        assert!(!requests.received(br#"{"jsonrpc":"2.0","id":1,"resu"#));
    }
}
