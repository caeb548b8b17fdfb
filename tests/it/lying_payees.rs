//! Payees' servers that would have us pay more, pay others, ask others, or believe their words:
//! each is refused before anything moves, or paid with a warning.

use serde_json::json;
use testbed::harness::input::TEST_NETWORKS;
use testbed::harness::payees::{self, at_callback, at_first, first, lie};
use testbed::harness::strangers::{check, hostile};
use testbed::{Answer, InvoiceLie, Terms};

use crate::lnurl::{Scene, with};
use crate::world::{conserved, has_for};

#[tokio::test]
async fn a_hostile_first_answer_is_refused() {
    let scene = Scene::new().await;
    let others = [scene.canary.url(), scene.mint.url()];
    let elsewhere = payees::callbacks(&scene.server.url(), &others);
    let mut rows: Vec<_> = elsewhere.iter().map(|url| first(json!({"callback": url}))).collect();
    rows.push(at_first(Answer::Redirect(scene.canary.url())));
    let mut rows: Vec<_> = rows.into_iter().map(|terms| (terms, "recipient_refuses")).collect();
    // An LNURL does not say whose it is, so that only an address can be contradicted.
    let of_bob = r#"[["text/plain","a"],["text/identifier","bob@example.com"]]"#;
    rows.push((first(json!({"metadata": of_bob})), "recipient_refuses"));
    rows.extend(payees::first_answers());
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
        has_for(format!("{terms:?}"), &estimate, json!({"verdict": "denied", "code": code}));
        scene.nothing_moved(&format!("{terms:?}")).await;
    }
    assert_eq!((scene.server.asked().len(), scene.server.asked_for_invoices()), (2 * count, 0));
    let quotes = scene.mint.requests().iter().filter(|one| one.path.contains("melt")).count();
    assert_eq!(quotes, 0, "no mint is asked for a price of what cannot be paid");
}

#[tokio::test]
async fn a_hostile_invoice_is_refused() {
    let scene = Scene::new().await;
    let mut rows = payees::invoices();
    rows.push((at_callback(Answer::Redirect(scene.canary.url())), "recipient_refuses"));
    let count = rows.len();
    for (terms, code) in rows {
        scene.server.set(terms.clone());
        let refused = scene.agent.refused("pay", scene.pay(10), code).await;
        let said = matches!(terms.at_callback, Answer::SaysNo(..));
        assert_eq!(refused.details.get("untrusted_reason").is_some(), said, "{refused:?}");
        scene.nothing_moved(&format!("{terms:?}")).await;
    }
    assert_eq!(scene.server.asked_for_invoices(), count);
    scene.server.set(at_first(Answer::Status(429)));
    let refused = scene.agent.refused("pay", scene.pay(10), "too_many_requests").await;
    assert_eq!(refused.retry_after_seconds, Some(30));
    scene.server.set(Terms::default());
    scene.agent.refused("pay", scene.pay(10), "too_many_requests").await;
    scene.nothing_moved("a pause is kept").await;
}

#[tokio::test]
async fn real_money_pays_no_invoice_of_a_test_network() {
    let scene = Scene::of(false).await;
    for network in TEST_NETWORKS {
        scene.server.set(Terms { network, ..Terms::default() });
        scene.agent.refused("pay", scene.pay(10), "wrong_network").await;
    }
    scene.nothing_moved("wrong network").await;
}

#[tokio::test]
async fn an_invoice_that_does_not_say_what_for_is_paid_with_a_warning() {
    let scene = Scene::new().await;
    for (at, wrong) in payees::UNEXPLAINED.into_iter().enumerate() {
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
        at_first(Answer::SaysNo(400, words.clone())),
        at_callback(Answer::SaysNo(200, words.clone())),
        first(json!({"metadata": other})),
        first(json!({"callback": "https://zqdetail.example/cb"})),
    ] {
        scene.server.set(terms);
        let refused = scene.agent.refused("pay", scene.pay(10), "recipient_refuses").await;
        check(&serde_json::to_value(&refused).unwrap(), "pay", &mut found).unwrap();
    }
    scene.server.set(estranged);
    for (tool, arguments) in [
        ("estimate", scene.pay(10)),
        ("pay", scene.pay(10)),
        ("list_history", json!({})),
        ("list_history", json!({"format": "csv"})),
    ] {
        check(&scene.agent.ok(tool, arguments).await, tool, &mut found).unwrap();
    }
    assert!(found.len() >= 6, "{found:?}");
}
