//! Paying Lightning addresses and LNURLs: at honest servers, and at those that would have us pay
//! more, pay others, or ask others.

use nutpurse::model::lnurl::encode;
use serde_json::{Value, json};
use testbed::{Answer, Behaviour, Currency, InvoiceLie, Lightning, LnurlServer, Terms, TestMint};

use crate::strangers::{check, hostile};
use crate::world::{Agent, Home, conserved, fund, holdings, mint, sats};

/// A wallet with a thousand sats, a payee's server that it may ask, and one that it may not.
struct Scene {
    lightning: Lightning,
    mint: TestMint,
    server: LnurlServer,
    canary: LnurlServer,
    agent: Agent,
}

impl Scene {
    async fn new() -> Self {
        Self::of(true).await
    }

    /// `play` or real money.
    async fn of(play: bool) -> Self {
        let (lightning, mint) = mint().await;
        let (server, canary) = (
            LnurlServer::start(&lightning).await.unwrap(),
            LnurlServer::start(&lightning).await.unwrap(),
        );
        let home = Home::at(&[(&mint.url(), play)]);
        home.write_config(&[(&mint.url(), play), (&server.url(), play)], 100_000, 1_000_000, "");
        let agent = Agent::open(home).await;
        fund(&agent, 1_000).await;
        Self { lightning, mint, server, canary, agent }
    }

    fn pay(&self, sats: u64) -> Value {
        json!({"to": self.server.address("alice"), "amount_sats": sats})
    }

    fn melts(&self) -> usize {
        self.mint.auditor().melts().unwrap().len()
    }

    /// Nothing left, and nobody was asked who must not be.
    async fn nothing_moved(&self, what: &str) {
        assert_eq!(
            (self.melts(), self.server.received(), self.canary.asked().len()),
            (0, 0, 0),
            "{what}"
        );
        let held = holdings(&self.agent).await;
        assert_eq!((held.spendable, held.pending), (1_000, 0), "{what}");
    }
}

fn with(arguments: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut arguments = arguments.clone();
    arguments[name] = value.into();
    arguments
}

fn first(answer: Value) -> Terms {
    Terms { first: answer, ..Terms::default() }
}

fn lie(invoice: InvoiceLie) -> Terms {
    Terms { invoice, ..Terms::default() }
}

#[tokio::test]
async fn an_address_is_paid_once_with_two_questions_and_a_comment() {
    let scene = Scene::new().await;
    let pay = with(&with(&scene.pay(21), "comment", "for the coffee"), "idempotency_key", "coffee");
    let paid = scene.agent.ok("pay", pay.clone()).await;
    assert_eq!(
        (&paid["state"], &paid["proof"], &paid["comment_sent"]),
        (&json!("settled"), &json!("preimage"), &json!(true)),
        "{paid}"
    );
    let asked = scene.server.asked();
    assert_eq!(
        asked.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(),
        ["/.well-known/lnurlp/alice", "/callback/alice"]
    );
    let query = &asked[1].query;
    assert_eq!(
        (query.len(), query["amount"].as_str(), query["comment"].as_str()),
        (2, "21000", "for the coffee")
    );

    for _ in 0..3 {
        let again = scene.agent.ok("pay", pay.clone()).await;
        assert_eq!(
            (&again["replayed"], &again["payment_id"], &again["comment_sent"]),
            (&json!(true), &paid["payment_id"], &json!(true))
        );
    }
    assert_eq!((scene.server.asked().len(), scene.server.received(), scene.melts()), (2, 21, 1));
    scene.agent.refused("pay", with(&pay, "amount_sats", 22), "key_conflict").await;
    let history = scene.agent.ok("list_history", json!({"kind": "payment"})).await;
    let entry = &history["entries"][0];
    assert_eq!(
        (&entry["payee"], &entry["note"]),
        (&json!(scene.server.address("alice")), &json!("for the coffee")),
        "{history}"
    );
    assert!(entry.get("untrusted_payee").is_none(), "{history}");
    conserved("an address paid", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn an_equal_payment_must_be_meant_however_the_payee_is_written() {
    let scene = Scene::new().await;
    let paid = scene.agent.ok("pay", scene.pay(10)).await;
    let lnurl = encode(&scene.server.url_of("alice")).unwrap();
    let ways = [
        scene.server.address("ALICE"),
        format!("lightning:{}", scene.server.address("alice")),
        lnurl.to_uppercase(),
        format!("lnurlp:{}", scene.server.url_of("alice")),
        format!("https://shop.example/?lightning={lnurl}"),
    ];
    for way in &ways {
        let refused = scene
            .agent
            .refused(
                "pay",
                json!({"to": way, "amount_sats": 10, "idempotency_key": way}),
                "possible_duplicate",
            )
            .await;
        assert_eq!(refused.payment_id.unwrap().as_str(), paid["payment_id"], "{way}");
    }
    assert_eq!(scene.server.asked().len(), 2, "nobody is asked for what is refused");
    let mut last = paid["payment_id"].clone();
    for way in &ways {
        let again =
            scene.agent.ok("pay", json!({"to": way, "amount_sats": 10, "repeat_of": last})).await;
        assert_eq!(
            (&again["state"], &again["replayed"]),
            (&json!("settled"), &json!(false)),
            "{way}"
        );
        last = again["payment_id"].clone();
    }
    scene.agent.ok("pay", scene.pay(11)).await;
    scene.agent.ok("pay", json!({"to": scene.server.address("bob"), "amount_sats": 10})).await;
    assert_eq!((scene.server.received(), scene.melts()), (10 * 6 + 11 + 10, 8));
    conserved("repeated on purpose", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn a_comment_goes_whole_or_not_at_all() {
    let scene = Scene::new().await;
    let long = "ü".repeat(41);
    let paid = scene.agent.ok("pay", with(&scene.pay(10), "comment", long.as_str())).await;
    assert_eq!(
        (&paid["state"], &paid["comment_sent"]),
        (&json!("settled"), &json!(false)),
        "{paid}"
    );
    let plain = scene.agent.ok("pay", scene.pay(11)).await;
    assert!(plain.get("comment_sent").is_none(), "{plain}");
    let asked = scene.server.asked();
    assert!(
        asked
            .iter()
            .all(|one| !one.query.contains_key("comment") && !one.query.contains_key("nostr")),
        "{asked:?}"
    );
    let shown = scene.agent.ok("get_payment", json!({"payment_id": paid["payment_id"]})).await;
    assert_eq!(shown["comment_sent"], false);
    let token = scene.agent.ok("send_token", json!({"amount_sats": 3})).await;
    let leak = format!("take {}", token["token"].as_str().unwrap());
    scene.agent.refused("pay", with(&scene.pay(12), "comment", leak), "text_refused").await;
    scene
        .agent
        .refused("pay", with(&scene.pay(12), "comment", "x".repeat(281)), "text_refused")
        .await;
    assert_eq!(scene.server.asked().len(), 4);
}

#[tokio::test]
async fn what_is_denied_is_denied_before_anybody_is_asked() {
    let scene = Scene::new().await;
    scene
        .agent
        .refused("pay", json!({"to": scene.server.address("alice")}), "amount_missing")
        .await;
    scene.agent.refused("pay", scene.pay(100_001), "over_payment_limit").await;
    scene.agent.refused("pay", scene.pay(1_001), "insufficient_funds").await;
    scene
        .agent
        .refused("pay", with(&scene.pay(10), "mint", "https://mint.example"), "mint_not_trusted")
        .await;
    scene
        .agent
        .refused("pay", with(&scene.pay(10), "repeat_of", "nonsense"), "invalid_input")
        .await;
    assert!(scene.server.asked().is_empty(), "{:?}", scene.server.asked());
    for (to, code) in [
        (scene.canary.address("alice"), "address_refused"),
        (encode(&scene.canary.url_of("alice")).unwrap(), "address_refused"),
        (format!("lnurlp:{}", scene.canary.url_of("alice")), "address_refused"),
        ("alice@localhost".to_owned(), "address_refused"),
        ("alice@10.0.0.1".to_owned(), "address_refused"),
        ("alice@169.254.169.254".to_owned(), "address_refused"),
        ("alice@0x7f.1:80".to_owned(), "address_refused"),
        ("lnurlp:https://[::1]/pay".to_owned(), "address_refused"),
        (
            "alice@abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion".to_owned(),
            "address_refused",
        ),
        (encode("https://example.com/?tag=login&k1=00").unwrap(), "payee_unsupported"),
        (encode("https://user@example.com/").unwrap(), "invalid_input"),
    ] {
        scene.agent.refused("pay", json!({"to": to, "amount_sats": 10}), code).await;
    }
    scene.nothing_moved("denied").await;
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
async fn twenty_calls_under_one_key_fetch_one_invoice() {
    let scene = Scene::new().await;
    let pay = with(&scene.pay(10), "idempotency_key", "once");
    let calls: Vec<_> = (0..20).map(|_| scene.agent.start("pay", pay.clone())).collect();
    for call in calls {
        let state = call.await.unwrap().unwrap()["state"].clone();
        assert!(state == "settled" || state == "pending", "{state}");
    }
    assert_eq!(
        (scene.server.asked_for_invoices(), scene.server.received(), scene.melts()),
        (1, 10, 1)
    );
    let calls: Vec<_> = (0..10).map(|_| scene.agent.start("pay", scene.pay(12))).collect();
    let mut settled = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(paid) => settled += u32::from(paid["replayed"] == false),
            Err(refused) => assert_eq!(refused.code.as_str(), "possible_duplicate"),
        }
    }
    assert_eq!(
        (settled, scene.server.received()),
        (1, 22),
        "without a key an equal call is a possible duplicate"
    );
    conserved("once each", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn a_failed_payment_is_tried_again_with_a_new_invoice_under_its_own_id() {
    let scene = Scene::new().await;
    let pay = with(&scene.pay(10), "idempotency_key", "try");
    scene.lightning.on_next(Behaviour::Fail);
    let failed = scene.agent.call("pay", pay.clone()).await.unwrap_err();
    assert_eq!(serde_json::to_value(&failed).unwrap()["money_moved"], "no", "{failed}");
    let paid = scene.agent.ok("pay", pay).await;
    assert_eq!(
        (&paid["state"], paid["payment_id"].as_str().unwrap()),
        (&json!("settled"), failed.payment_id.unwrap().as_str())
    );
    assert_eq!((scene.server.asked_for_invoices(), scene.server.received()), (2, 10));
    conserved("tried again", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn a_keyset_that_went_out_of_use_costs_no_second_invoice() {
    let scene = Scene::new().await;
    scene.agent.ok("pay", scene.pay(10)).await;
    scene.mint.rotate_keyset(100).await.unwrap();
    let paid = scene.agent.ok("pay", scene.pay(11)).await;
    assert_eq!(paid["state"], "settled");
    assert_eq!((scene.server.asked_for_invoices(), scene.server.received()), (2, 21));
    conserved("rotated", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn what_is_pending_stands_in_the_way_of_its_like() {
    let scene = Scene::new().await;
    let hash = *scene.server.promise("alice", 10).unwrap().payment_hash();
    scene.server.set(lie(InvoiceLie::Same));
    scene.lightning.set_behaviour_of(hash, Behaviour::Pending);
    let gone = scene.agent.start("pay", with(&scene.pay(10), "idempotency_key", "slow"));
    scene.lightning.attempted(hash).await;
    gone.abort();
    let pending = scene.agent.ok("get_payment", json!({"idempotency_key": "slow"})).await;
    assert_eq!(pending["state"], "pending", "{pending}");
    for call in [scene.pay(10), with(&scene.pay(10), "repeat_of", pending["payment_id"].clone())] {
        scene.agent.refused("pay", call, "possible_duplicate").await;
    }
    let again = scene.agent.ok("pay", with(&scene.pay(10), "idempotency_key", "slow")).await;
    assert_eq!((&again["state"], &again["replayed"]), (&json!("pending"), &json!(true)));
    assert_eq!(scene.server.asked_for_invoices(), 1);
    scene.lightning.settle(hash);
    assert_eq!(scene.agent.ended(&pending["payment_id"]).await["state"], "settled");
    conserved("slow", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn an_estimate_asks_what_the_payee_takes_and_for_no_invoice() {
    let scene = Scene::new().await;
    let estimate = scene.agent.ok("estimate", scene.pay(100)).await;
    assert_eq!(
        (&estimate["kind"], &estimate["verdict"]),
        (&json!("lightning_address"), &json!("allowed")),
        "{estimate}"
    );
    assert_eq!((sats(&estimate, "min_sats"), sats(&estimate, "max_sats")), (1, 100_000));
    assert_eq!((sats(&estimate, "max_fee_sats"), sats(&estimate, "max_total_sats")), (5, 105));
    assert_eq!(
        (&estimate["untrusted_description"], &estimate["mint"]),
        (&json!("Sats for alice"), &json!(scene.mint.url()))
    );
    let open = json!({"to": encode(&scene.server.url_of("alice")).unwrap()});
    let estimate = scene.agent.ok("estimate", open).await;
    assert_eq!(
        (&estimate["kind"], &estimate["code"]),
        (&json!("lnurl"), &json!("amount_missing")),
        "{estimate}"
    );
    assert_eq!((sats(&estimate, "min_sats"), sats(&estimate, "max_sats")), (1, 100_000));
    let asked = scene.server.asked().len();
    let estimate = scene.agent.ok("estimate", scene.pay(100_001)).await;
    assert_eq!(
        (&estimate["code"], scene.server.asked().len()),
        (&json!("over_payment_limit"), asked),
        "{estimate}"
    );
    let estimate = scene
        .agent
        .ok("estimate", json!({"to": scene.canary.address("alice"), "amount_sats": 1}))
        .await;
    assert_eq!(estimate["code"], "address_refused");
    assert_eq!(scene.server.asked_for_invoices(), 0);
    scene.nothing_moved("estimates").await;
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
