//! What is open between a client and its keeper: the requests without an answer, and what becomes
//! of them once the keeper is gone.
//!
//! Pure. Lines go through unchanged; this only looks at them.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::agreement::{Agreement, is_ours, read};
use super::lost::{self, Kind};

/// The name by which a request of the newer era carries its version.
const MODERN: &str = "io.modelcontextprotocol/protocolVersion";
/// Seconds after which a client is answered that nobody answers: a second more than the longest
/// call.
const LONGEST: u32 = 47;

/// A read after which this many keepers were gone is not given to another.
const KEEPERS: u32 = 2;
/// The most requests of a client that are open at a time; it is not read from meanwhile.
const OPEN: usize = 256;
/// Seconds within which a keeper is gone that has ended its subscriptions.
const KEEPER_ENDS: u32 = 10;

/// A request without an answer.
#[derive(Debug)]
struct Open {
    id: Value,
    kind: Kind,
    is_modern: bool,
    line: Vec<u8>,
    /// Which line on the present link it is. `None`: it is not on its way yet.
    number: Option<u64>,
    /// Seconds in which we were awake to wait for it.
    waited: u32,
    /// How many keepers are gone that had it.
    keepers: u32,
}

/// What is open, and what was agreed.
#[derive(Debug, Default)]
pub(super) struct Table {
    open: Vec<Open>,
    /// Subscriptions that the keeper has ended, with what it said, and for how many seconds. A
    /// keeper that ends itself ends them first, and the next one goes on with them; else the client
    /// is told.
    ended: Vec<(Open, Vec<u8>, u32)>,
    /// Ids that we have answered ourselves; what comes for them is dropped.
    answered: Vec<Value>,
    /// Requests that were answered before they were sent.
    given_up: Vec<Vec<u8>>,
    agreement: Agreement,
}

/// What to do once a keeper is gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    /// For the next keeper, in this order.
    pub(super) again: Vec<Vec<u8>>,
    /// For the client.
    pub(super) answers: Vec<Vec<u8>>,
}

/// A line of the keeper's, as far as it matters here.
#[derive(Deserialize)]
struct Heard {
    id: Option<Value>,
    method: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl Table {
    /// A line of the client's that is about to be sent, as the `number`th on this link.
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
                let kind = Kind::of(method, params);
                self.answered.retain(|answered| answered != id);
                let open = Open {
                    id: id.clone(),
                    kind,
                    is_modern,
                    line: line.to_vec(),
                    number: Some(number),
                    waited: 0,
                    keepers: 0,
                };
                self.open.push(open);
            }
            None => match method {
                "notifications/initialized" => self.agreement.initialized(line),
                // The keeper does not answer what was cancelled.
                "notifications/cancelled" => {
                    let id = params.get("requestId");
                    self.open.retain(|open| Some(&open.id) != id);
                    self.ended.retain(|(open, ..)| Some(&open.id) != id);
                }
                _ => {}
            },
        }
    }

    /// A line of the keeper's. `false`: it is not for the client.
    pub(super) fn heard(&mut self, line: &[u8]) -> bool {
        let Ok(heard) = serde_json::from_slice::<Heard>(line) else { return false };
        let (Some(id), None) = (heard.id, heard.method) else { return true };
        if is_ours(&id) {
            return false;
        }
        if let Some(at) = self.answered.iter().position(|answered| *answered == id) {
            self.answered.swap_remove(at);
            return false;
        }
        if let Some(at) = self.open.iter().position(|open| open.id == id) {
            let open = self.open.remove(at);
            match (open.kind == Kind::Listen, heard.error) {
                (true, None) => {
                    self.ended.push((open, [line, b"\n"].concat(), 0));
                    return false;
                }
                (false, None) => self.agreement.granted(&open.kind, open.line),
                (_, Some(_)) => {}
            }
        }
        true
    }

    /// The keeper is gone, having read this many lines at the most. What it may have begun and what
    /// could move money is answered; the rest is for the next one.
    pub(super) fn keeper_gone(&mut self, read: u64) -> Gone {
        self.answered.clear();
        self.open.extend(self.ended.drain(..).map(|(open, ..)| open));
        let mut gone = Gone { again: self.agreement.lines(), answers: Vec::new() };
        for mut open in std::mem::take(&mut self.open) {
            let was_read = open.number.is_some_and(|number| number <= read);
            if let (Kind::Writes(write), true) = (&open.kind, was_read) {
                gone.answers.push(lost::unknown(&open.id, write, open.is_modern));
                continue;
            }
            open.keepers =
                open.keepers.saturating_add(u32::from(was_read && open.kind != Kind::Listen));
            if open.keepers >= KEEPERS {
                gone.answers.push(lost::unanswered(&open.id, &open.kind, open.is_modern));
                continue;
            }
            open.number = None;
            gone.again.push(open.line.clone());
            self.open.push(open);
        }
        gone
    }

    /// The client has gone: the answers to all that is open and will get no other.
    pub(super) fn end(&mut self) -> Vec<Vec<u8>> {
        self.ended.clear();
        let open =
            std::mem::take(&mut self.open).into_iter().filter(|open| open.kind != Kind::Listen);
        open.map(|open| lost::unanswered(&open.id, &open.kind, open.is_modern)).collect()
    }

    /// As many requests are open as may be.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= OPEN
    }

    /// The line is a request of the client's that was answered while it waited to be sent.
    pub(super) fn is_given_up(&mut self, line: &[u8]) -> bool {
        let at = self.given_up.iter().position(|given_up| given_up == line);
        at.is_some_and(|at| !self.given_up.swap_remove(at).is_empty())
    }

    /// Something is open or watched.
    pub(super) fn wants_a_keeper(&self) -> bool {
        !self.open.is_empty() || self.agreement.watches()
    }

    /// A second has passed in which we were awake. Gives the answers to requests that have waited
    /// too long.
    pub(super) fn second(&mut self) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        self.ended.retain_mut(|(_, told, seconds)| {
            *seconds = seconds.saturating_add(1);
            let is_over = *seconds > KEEPER_ENDS;
            if is_over {
                answers.push(std::mem::take(told));
            }
            !is_over
        });
        let (open, answered, given_up) = (&mut self.open, &mut self.answered, &mut self.given_up);
        open.retain_mut(|open| {
            open.waited = open.waited.saturating_add(1);
            let is_late = open.waited > LONGEST && open.kind != Kind::Listen;
            if is_late && open.number.is_some() {
                answers.push(lost::unanswered(&open.id, &open.kind, open.is_modern));
                answered.push(open.id.clone());
            } else if is_late {
                answers.push(lost::not_sent(&open.id, &open.kind, open.is_modern));
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
        let mut table = Table::default();
        table.sending(&call(1, "pay"), 1);
        table.sending(&call(2, "get_balance"), 2);
        table.sending(&call(3, "send_token"), 3);
        assert!(table.heard(&answer(&json!(1))));
        let gone = table.keeper_gone(3);
        assert_eq!(text(&gone.again), text(&[call(2, "get_balance")]));
        assert_eq!(gone.answers.len(), 1);
        assert!(
            text(&gone.answers)[0].contains("\"id\":3")
                && text(&gone.answers)[0].contains("outcome_unknown")
        );
        assert_eq!(table.keeper_gone(0).answers.len(), 0, "told once");
    }

    #[test]
    fn a_call_that_was_never_read_is_for_the_next_keeper() {
        let mut table = Table::default();
        table.sending(&call(1, "pay"), 1);
        table.sending(&call(2, "pay"), 2);
        let gone = table.keeper_gone(1);
        assert_eq!((text(&gone.again), gone.answers.len()), (text(&[call(2, "pay")]), 1));
        table.sending(&call(2, "pay"), 1);
        assert_eq!(table.keeper_gone(1).answers.len(), 1, "it was sent on the second link");
    }

    #[test]
    fn what_was_agreed_is_agreed_again_under_ids_of_our_own() {
        let mut table = Table::default();
        let initialize = request("a", "initialize", &json!({"protocolVersion": "2025-11-25"}));
        table.sending(&initialize, 1);
        let unanswered = table.keeper_gone(1);
        assert_eq!(
            text(&unanswered.again),
            text(std::slice::from_ref(&initialize)),
            "still the client's own request"
        );
        table.sending(&initialize, 1);
        assert!(table.heard(&answer(&json!("a"))));
        table.sending(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 2);
        table.sending(&request("b", "resources/subscribe", &json!({"uri": "wallet://balance"})), 3);
        assert!(table.heard(&answer(&json!("b"))));
        let again = text(&table.keeper_gone(3).again);
        assert_eq!(again.len(), 3, "{again:?}");
        assert!(
            again[0].contains("nutpurse/again/0")
                && again[1].contains("initialized")
                && again[2].contains("wallet://balance")
        );
        assert!(
            !table.heard(&answer(&json!("nutpurse/again/0"))),
            "its answer is not for the client"
        );
        table.sending(
            &request("c", "resources/unsubscribe", &json!({"uri": "wallet://balance"})),
            4,
        );
        assert!(table.heard(&answer(&json!("c"))));
        assert_eq!(table.keeper_gone(4).again.len(), 2);
    }

    #[test]
    fn what_was_cancelled_is_not_asked_again() {
        let mut table = Table::default();
        table.sending(&call(1, "get_balance"), 1);
        table.sending(
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            2,
        );
        table.sending(&request("l", "subscriptions/listen", &json!({})), 3);
        assert!(!table.heard(&answer(&json!("l"))));
        table.sending(
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#,
            4,
        );
        assert_eq!(table.keeper_gone(4), Gone::default());
    }

    #[test]
    fn nobody_waits_for_ever_and_what_comes_late_is_dropped() {
        let mut table = Table::default();
        table.sending(&call(1, "pay"), 1);
        table.sending(&call(2, "get_balance"), 2);
        table.sending(&request("l", "subscriptions/listen", &json!({})), 3);
        let late: Vec<_> = (0..LONGEST + 2).flat_map(|_| table.second()).collect();
        let late = text(&late);
        assert_eq!(late.len(), 2, "{late:?}");
        assert!(late[0].contains("outcome_unknown") && late[1].contains("wallet_busy"));
        assert!(!table.heard(&answer(&json!(1))), "its answer is dropped");
    }

    #[test]
    fn a_subscription_outlives_its_keeper_and_its_end_is_told_where_the_keeper_stays() {
        let mut table = Table::default();
        let listen = request("l", "subscriptions/listen", &json!({}));
        table.sending(&listen, 1);
        assert!(!table.heard(&answer(&json!("l"))), "the keeper may be ending");
        assert_eq!(text(&table.keeper_gone(1).again), text(std::slice::from_ref(&listen)));
        table.sending(&listen, 1);
        assert!(!table.heard(&answer(&json!("l"))));
        let told: Vec<_> = (0..KEEPER_ENDS + 2).flat_map(|_| table.second()).collect();
        assert_eq!(told.len(), 1);
        assert_eq!(table.keeper_gone(1), Gone::default());
    }

    #[test]
    fn what_was_answered_before_it_was_sent_is_not_sent_any_more() {
        let mut table = Table::default();
        table.sending(&call(1, "pay"), 1);
        assert_eq!(text(&table.keeper_gone(0).again), text(&[call(1, "pay")]));
        let told: Vec<_> = (0..=LONGEST).flat_map(|_| table.second()).collect();
        assert!(told.len() == 1 && text(&told)[0].contains("wallet_busy"), "{told:?}");
        assert!(table.is_given_up(&call(1, "pay")) && !table.is_given_up(&call(1, "pay")));
    }

    #[test]
    fn a_read_that_two_keepers_did_not_outlive_is_not_given_to_a_third() {
        let mut table = Table::default();
        let read = call(1, "list_history");
        table.sending(&read, 1);
        assert_eq!(table.keeper_gone(1).again.len(), 1);
        table.sending(&read, 1);
        let gone = table.keeper_gone(1);
        assert_eq!((gone.again.len(), gone.answers.len()), (0, 1));
    }

    #[test]
    fn notices_pass_and_what_is_no_message_does_not() {
        let mut table = Table::default();
        assert!(table.heard(br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#));
        assert!(!table.heard(br#"{"jsonrpc":"2.0","id":1,"resu"#));
    }
}
