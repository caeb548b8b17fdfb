use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::super::invoice::tests::COFFEE;
use super::super::super::payee::Payee;
use super::*;

const KEY: &str = "9630F464CCA6A5147AA8A35F0BCDD3CE485324E732FD39E09233B1D848238F31";

fn target(text: &str) -> LnurlEndpoint {
    LnurlEndpoint::of(&Payee::recognise(text))
        .and_then(Result::ok)
        .unwrap_or_else(|| panic!("{text} leads nowhere"))
}

fn good() -> Value {
    json!({
        "tag": "payRequest", "callback": "https://example.com/cb?id=1", "minSendable": 1_000, "maxSendable": 100_000_999,
        "metadata": r#"[["text/plain","Sats for alice"],["text/identifier","Alice@example.com"],["image/png;base64","x"],7,["text/plain"]]"#,
    })
}

fn read(answer: &Value) -> Result<PayRequest, AnswerError> {
    PayRequest::read(target("alice@example.com"), answer.to_string().as_bytes())
}

/// Returns the good answer with one field changed.
fn with(name: &str, value: Value) -> Value {
    let mut answer = good();
    answer[name] = value;
    answer
}

#[test]
fn what_the_server_takes_is_read() {
    let request = read(&good()).unwrap();
    assert_eq!((request.min_sats(), request.max_sats()), (1, 100_000));
    assert_eq!(
        (request.description.as_str(), request.identifier.as_deref()),
        ("Sats for alice", Some("Alice@example.com"))
    );
    assert_eq!((request.comment_allowed, request.nostr_key.as_deref()), (0, None));
    assert_eq!(
        (request.asks_msat(1), request.asks_msat(100_000)),
        (Some(1_000), Some(100_000_000))
    );
    assert_eq!((request.asks_msat(0), request.asks_msat(100_001)), (None, None));
    let ask = request.ask(21_000, Some("a&b ü"), None);
    assert_eq!(ask.as_str(), "https://example.com/cb?id=1&amount=21000&comment=a%26b+%C3%BC");
    let zap = ZapNote { json: r#"{"kind":9734}"#.to_owned(), lnurl: "lnurl1x".to_owned() };
    assert_eq!(
        request.ask(1, None, Some(&zap)).query(),
        Some("id=1&amount=1&nostr=%7B%22kind%22%3A9734%7D&lnurl=lnurl1x")
    );
}

#[test]
fn a_server_that_takes_no_whole_sat_is_asked_for_what_it_takes() {
    let mut answer = with("minSendable", json!(100_500));
    answer["maxSendable"] = json!(100_500);
    let request = read(&answer).unwrap();
    assert_eq!((request.min_sats(), request.max_sats()), (101, 101));
    assert_eq!(
        (request.asks_msat(100), request.asks_msat(101), request.asks_msat(102)),
        (None, Some(100_500), None)
    );
}

#[test]
fn what_may_be_there_is_used_only_where_it_can_be_read() {
    for (name, value) in [
        ("commentAllowed", json!("many")),
        ("commentAllowed", json!(-1)),
        ("commentAllowed", json!(1e300)),
        ("payerData", json!("yes")),
        (
            "payerData",
            json!({"name": {"mandatory": false}, "email": 7, "x": {"mandatory": "true"}}),
        ),
        ("allowsNostr", json!("true")),
        ("nostrPubkey", json!(7)),
        ("status", json!(7)),
        ("successAction", json!([[[]]])),
    ] {
        let request = read(&with(name, value.clone()));
        assert!(
            request
                .is_ok_and(|request| request.comment_allowed == 0 && request.nostr_key.is_none()),
            "{name}: {value}"
        );
    }
    let request = read(&with("commentAllowed", json!(3))).unwrap();
    assert!(request.takes_comment("üüü") && !request.takes_comment("üüüü"));
    let zaps = |allows: Value, key: &str| {
        let mut answer = with("allowsNostr", allows);
        answer["nostrPubkey"] = json!(key);
        read(&answer).unwrap().nostr_key
    };
    assert_eq!(zaps(json!(true), KEY), Some(KEY.to_lowercase()));
    for (allows, key) in [
        (json!(false), KEY),
        (json!(1), KEY),
        (json!(true), &KEY[1..]),
        (json!(true), "npub1x"),
        (json!(true), ""),
    ] {
        assert_eq!(zaps(allows.clone(), key), None, "{allows} {key}");
    }
}

#[test]
fn what_must_be_there_and_is_not_right_is_refused() {
    let beyond: Value = serde_json::from_str("18446744073709551616").unwrap();
    let rows = [
        ("tag", json!(null)),
        ("tag", json!(["payRequest"])),
        ("minSendable", json!(-1)),
        ("minSendable", json!(1_000.0)),
        ("minSendable", json!("1000")),
        ("minSendable", json!(100_001_000)),
        ("maxSendable", beyond),
        ("maxSendable", json!(null)),
        ("metadata", json!([["text/plain", "no string"]])),
        ("metadata", json!("[]")),
        ("metadata", json!("{}")),
        ("metadata", json!(r#"[["text/plain","a"],["text/plain","b"]]"#)),
        (
            "metadata",
            json!(
                r#"[["text/plain","a"],["text/identifier","alice@example.com"],["text/identifier","b@c.d"]]"#
            ),
        ),
        ("metadata", json!(format!(r#"[["text/plain","{}"]]"#, "a".repeat(MAX_METADATA)))),
        ("metadata", json!("[".repeat(10_000))),
        ("callback", json!(null)),
        ("callback", json!("/cb")),
        ("callback", json!("ftp://example.com/cb")),
        ("callback", json!("https://example.com@evil.example/cb")),
        ("callback", json!("https://example.com\\@evil.example/cb")),
    ];
    for (name, value) in rows {
        let answer = read(&with(name, value.clone()));
        assert!(matches!(answer, Err(AnswerError::Unreadable(_))), "{name}: {value}: {answer:?}");
    }
    assert_eq!(read(&with("maxSendable", json!(0))), Err(AnswerError::Unreadable("minSendable")));
    for body in ["", "null", "[]", "<html>", &"[".repeat(5_000)] {
        let answer = PayRequest::read(target("a@example.com"), body.as_bytes());
        assert!(matches!(answer, Err(AnswerError::Unreadable(_))), "{body}");
    }
}

#[test]
fn each_refusal_has_its_own_name() {
    assert_eq!(
        read(&with("tag", json!("withdrawRequest"))),
        Err(AnswerError::Other(Some(OtherTag::Withdraw)))
    );
    assert_eq!(read(&with("tag", json!("zq"))), Err(AnswerError::Other(None)));
    assert_eq!(
        read(&json!({"status": "ERROR", "reason": "gone"})),
        Err(AnswerError::Says("gone".into()))
    );
    assert_eq!(read(&json!({"status": "error"})), Err(AnswerError::Says(String::new())));
    assert_eq!(
        read(&with("payerData", json!({"auth": {"mandatory": true}}))),
        Err(AnswerError::WantsPayer)
    );
    assert_eq!(
        read(&with("callback", json!("https://evil.example/cb"))),
        Err(AnswerError::Elsewhere("evil.example".into()))
    );
    let other = json!(r#"[["text/plain","a"],["text/identifier","bob@example.com"]]"#);
    assert_eq!(
        read(&with("metadata", other)),
        Err(AnswerError::Identifier("bob@example.com".into()))
    );
    assert_eq!(reason(br#"{"status":"ERROR","reason":"no"}"#), Some("no".into()));
    assert_eq!(reason(b"{}"), None);
}

#[test]
fn a_labelled_name_may_be_answered_without_its_label() {
    for (address, answers) in
        [("alice+shop@example.com", true), ("alice@example.com", true), ("al@example.com", false)]
    {
        let read = PayRequest::read(target(address), good().to_string().as_bytes());
        assert_eq!(read.is_ok(), answers, "{address}");
    }
    let lnurl = "lnurlp://example.com/pay";
    assert!(
        PayRequest::read(target(lnurl), good().to_string().as_bytes()).is_ok(),
        "an LNURL has no name that could differ"
    );
}

#[test]
fn an_invoice_is_the_one_that_was_asked_for() {
    let invoice =
        read_invoice(json!({"pr": COFFEE.to_uppercase(), "routes": []}).to_string().as_bytes())
            .unwrap();
    let amount = invoice.amount_msat.unwrap();
    let end = invoice.expires_at;
    assert_eq!(PayRequest::fits(&invoice, amount, end - LEAST_LEFT - 1), Ok(()));
    assert_eq!(PayRequest::fits(&invoice, amount, end - LEAST_LEFT), Err(Misfit::Expired));
    for wrong in [amount - 1, amount + 1, amount * 1000] {
        assert_eq!(PayRequest::fits(&invoice, wrong, 0), Err(Misfit::Amount(Some(amount))));
    }
    let open = Invoice { amount_msat: None, ..invoice.clone() };
    assert_eq!(PayRequest::fits(&open, amount, 0), Err(Misfit::Amount(None)));
    for body in ["{}", r#"{"pr":"lnbc1"}"#, r#"{"pr":7}"#, "7"] {
        assert!(matches!(read_invoice(body.as_bytes()), Err(AnswerError::Unreadable(_))), "{body}");
    }
    let request = read(&good()).unwrap();
    assert!(!request.is_named_by(&invoice, None));
    let hash = |text: &str| Invoice { description_hash: Some(sha256_hex(text)), ..invoice.clone() };
    assert!(request.is_named_by(&hash(&request.metadata), None));
    let zap = ZapNote { json: "{}".into(), lnurl: String::new() };
    assert!(
        request.is_named_by(&hash("{}"), Some(&zap))
            && !request.is_named_by(&hash(&request.metadata), Some(&zap))
    );
}

proptest! {
    #[test]
    fn no_answer_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = PayRequest::read(target("alice@example.com"), &body);
        let _ = read_invoice(&body);
    }

    #[test]
    fn one_wild_member_never_lets_a_bad_answer_through(
        name in "(tag|callback|minSendable|maxSendable|metadata|commentAllowed|payerData|allowsNostr|nostrPubkey|status)",
        value in prop_oneof![any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from), any::<String>().prop_map(Value::from),
            Just(Value::Null), Just(json!([])), Just(json!({})), any::<bool>().prop_map(Value::from)],
    ) {
        if let Ok(request) = read(&with(&name, value)) {
            prop_assert!(request.min_msat <= request.max_msat && request.callback.host_str() == Some("example.com"));
            prop_assert_eq!(request.description.as_str(), "Sats for alice");
        }
    }
}
