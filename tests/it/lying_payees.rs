//! Payees' servers that would have us pay more, pay others, ask others, or believe their words:
//! each is refused before anything moves, or paid with a warning.

use serde_json::{Value, json};
use testbed::{Answer, Currency, InvoiceLie, Terms};

use crate::hostile_words::{check, hostile};
use crate::lnurl::{Scene, lie, with};
use crate::world::conserved;

fn first(answer: Value) -> Terms {
    Terms { first: answer, ..Terms::default() }
}

#[tokio::test]
async fn a_hostile_first_answer_is_refused() {
    let scene = Scene::new().await;
    let canary = scene.canary.url();
    let host = |url: String| json!({"callback": url});
    let beyond: Value = serde_json::from_str("18446744073709551616").unwrap();
    let rows = [
        (first(json!({"minSendable": 2_000, "maxSendable": 1_000})), "recipient_refuses"),
        (first(json!({"minSendable": -1})), "recipient_refuses"),
        (first(json!({"minSendable": 1.5})), "recipient_refuses"),
        (first(json!({"maxSendable": beyond})), "recipient_refuses"),
        (first(json!({"minSendable": 10_001})), "amount_out_of_range"),
        (first(json!({"maxSendable": 9_999})), "amount_out_of_range"),
        (first(json!({"tag": "withdrawRequest"})), "payee_unsupported"),
        (first(json!({"tag": "login"})), "payee_unsupported"),
        (first(json!({"tag": null})), "recipient_refuses"),
        (first(json!({"status": "ERROR", "reason": "not today"})), "recipient_refuses"),
        (first(json!({"payerData": {"name": {"mandatory": true}}})), "recipient_refuses"),
        (
            first(
                json!({"metadata": "[[\"text/plain\",\"a\"],[\"text/identifier\",\"bob@example.com\"]]"}),
            ),
            "recipient_refuses",
        ),
        (first(json!({"metadata": "[]"})), "recipient_refuses"),
        (first(host(format!("{canary}/callback/alice"))), "recipient_refuses"),
        (first(host(scene.mint.url())), "recipient_refuses"),
        (first(host("https://evil.example/cb".to_owned())), "recipient_refuses"),
        (first(host("http://10.0.0.1/cb".to_owned())), "recipient_refuses"),
        (first(host("https://127.0.0.1:22/cb".to_owned())), "recipient_refuses"),
        (first(host(scene.server.url().replace("http:", "ftp:"))), "recipient_refuses"),
        (
            Terms { at_first: Answer::Redirect(canary.clone()), ..Terms::default() },
            "recipient_refuses",
        ),
        (Terms { at_first: Answer::Bytes(1 << 20), ..Terms::default() }, "recipient_refuses"),
        (
            Terms { at_first: Answer::Text("<html>".to_owned()), ..Terms::default() },
            "recipient_refuses",
        ),
        (Terms { at_first: Answer::Status(404), ..Terms::default() }, "recipient_unknown"),
        (
            Terms { at_first: Answer::SaysNo(400, "no such name".to_owned()), ..Terms::default() },
            "recipient_refuses",
        ),
        (Terms { at_first: Answer::Status(503), ..Terms::default() }, "server_unreachable"),
    ];
    let count = rows.len();
    for (terms, code) in rows {
        scene.server.set(terms.clone());
        let refused = scene.agent.refused("pay", scene.pay(10), code).await;
        let out = refused.code.as_str() == "amount_out_of_range";
        assert!(
            !out || refused.details["min_sats"].is_u64() && refused.details["max_sats"].is_u64(),
            "{refused:?}"
        );
        let estimate = scene.agent.ok("estimate", scene.pay(10)).await;
        assert_eq!(
            (&estimate["verdict"], &estimate["code"]),
            (&json!("denied"), &json!(code)),
            "{terms:?}"
        );
        scene.nothing_moved(&format!("{terms:?}")).await;
    }
    assert_eq!((scene.server.asked().len(), scene.server.asked_for_invoices()), (2 * count, 0));
    let quotes = scene.mint.requests().iter().filter(|one| one.path.contains("melt")).count();
    assert_eq!(quotes, 0, "no mint is asked for a price of what cannot be paid");
}

#[tokio::test]
async fn a_hostile_invoice_is_refused() {
    let scene = Scene::new().await;
    let rows = [
        (lie(InvoiceLie::Off(1)), "recipient_refuses"),
        (lie(InvoiceLie::Off(-1)), "recipient_refuses"),
        (lie(InvoiceLie::Times(1_000)), "recipient_refuses"),
        (lie(InvoiceLie::Amountless), "recipient_refuses"),
        (lie(InvoiceLie::Expires(29)), "invoice_expired"),
        (
            Terms { at_callback: Answer::Redirect(scene.canary.url()), ..Terms::default() },
            "recipient_refuses",
        ),
        (Terms { at_callback: Answer::Bytes(1 << 20), ..Terms::default() }, "recipient_refuses"),
        (
            Terms { at_callback: Answer::Text(r#"{"pr":"lnbc1"}"#.to_owned()), ..Terms::default() },
            "recipient_refuses",
        ),
        (
            Terms { at_callback: Answer::SaysNo(200, "not now".to_owned()), ..Terms::default() },
            "recipient_refuses",
        ),
        (Terms { at_callback: Answer::Status(500), ..Terms::default() }, "server_unreachable"),
    ];
    let count = rows.len();
    for (terms, code) in rows {
        scene.server.set(terms.clone());
        let refused = scene.agent.refused("pay", scene.pay(10), code).await;
        let said = matches!(terms.at_callback, Answer::SaysNo(..));
        assert_eq!(refused.details.get("untrusted_reason").is_some(), said, "{refused:?}");
        scene.nothing_moved(&format!("{terms:?}")).await;
    }
    assert_eq!(scene.server.asked_for_invoices(), count);
    scene.server.set(Terms { at_first: Answer::Status(429), ..Terms::default() });
    let refused = scene.agent.refused("pay", scene.pay(10), "too_many_requests").await;
    assert_eq!(refused.retry_after_seconds, Some(30));
    scene.server.set(Terms::default());
    scene.agent.refused("pay", scene.pay(10), "too_many_requests").await;
    scene.nothing_moved("a pause is kept").await;
}

#[tokio::test]
async fn real_money_pays_no_invoice_of_a_test_network() {
    let scene = Scene::of(false).await;
    scene.server.set(Terms { network: Currency::BitcoinTestnet, ..Terms::default() });
    scene.agent.refused("pay", scene.pay(10), "wrong_network").await;
    scene.nothing_moved("wrong network").await;
}

#[tokio::test]
async fn an_invoice_that_does_not_say_what_for_is_paid_with_a_warning() {
    let scene = Scene::new().await;
    for (at, wrong) in [InvoiceLie::Hash([7; 32]), InvoiceLie::NoHash].into_iter().enumerate() {
        scene.server.set(lie(wrong));
        let paid = scene.agent.ok("pay", scene.pay(20 + at as u64)).await;
        assert!(
            paid["warning"].as_str().unwrap().contains("does not say what it is for"),
            "{paid}"
        );
    }
    scene.server.set(Terms::default());
    let paid = scene.agent.ok("pay", scene.pay(30)).await;
    assert!(!paid["warning"].as_str().unwrap().contains("does not say what it is for"), "{paid}");
    conserved("with a warning", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn an_invoice_given_twice_is_paid_once() {
    let scene = Scene::new().await;
    scene.server.set(lie(InvoiceLie::Same));
    let paid = scene.agent.ok("pay", scene.pay(10)).await;
    let again = with(&scene.pay(10), "repeat_of", paid["payment_id"].clone());
    let refused = scene.agent.refused("pay", again.clone(), "recipient_refuses").await;
    assert_eq!(refused.payment_id.unwrap().as_str(), paid["payment_id"]);
    assert_eq!((scene.server.received(), scene.melts()), (10, 1));
    let one = scene.agent.start("pay", again.clone());
    let two =
        scene.agent.start("pay", json!({"to": scene.server.address("bob"), "amount_sats": 10}));
    for call in [one, two] {
        assert_eq!(call.await.unwrap().unwrap_err().code.as_str(), "recipient_refuses");
    }
    conserved("one invoice, twice", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn a_payees_servers_words_are_a_strangers() {
    let scene = Scene::new().await;
    let words = hostile("zqdetail");
    let metadata =
        json!([["text/plain", words], ["text/identifier", scene.server.address("alice")]])
            .to_string();
    let mut found = Vec::new();
    let estranged = first(json!({"metadata": metadata}));
    let other = json!([["text/plain", "a"], ["text/identifier", words]]).to_string();
    for terms in [
        Terms { at_first: Answer::SaysNo(400, words.clone()), ..Terms::default() },
        Terms { at_callback: Answer::SaysNo(200, words.clone()), ..Terms::default() },
        first(json!({"metadata": other})),
        first(json!({"callback": "https://zqdetail.example/cb"})),
    ] {
        scene.server.set(terms);
        let refused = scene.agent.refused("pay", scene.pay(10), "recipient_refuses").await;
        check(&serde_json::to_value(&refused).unwrap(), "", "pay", &mut found);
    }
    scene.server.set(estranged);
    for (tool, arguments) in [
        ("estimate", scene.pay(10)),
        ("pay", scene.pay(10)),
        ("list_history", json!({})),
        ("list_history", json!({"format": "csv"})),
    ] {
        check(&scene.agent.ok(tool, arguments).await, "", tool, &mut found);
    }
    assert!(found.len() >= 6, "{found:?}");
}
