use serde_json::json;

use super::*;

fn call(id: u64, tool: &str) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"idempotency_key": "k"}}})
            .to_string()
            .into_bytes()
}

fn request(id: &str, method: &str, params: &Value) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string().into_bytes()
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
    assert_eq!(requests.daemon_gone(1).answers.len(), 1, "it was sent on the second connection");
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
    requests.sending(&request("b", "resources/subscribe", &json!({"uri": "wallet://balance"})), 3);
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
    requests
        .sending(&request("c", "resources/unsubscribe", &json!({"uri": "wallet://balance"})), 4);
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
        requests.received(br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#)
    );
    assert!(!requests.received(br#"{"jsonrpc":"2.0","id":1,"resu"#));
}
