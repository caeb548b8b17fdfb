//! Paying Lightning addresses and LNURLs: once, under any name and at any hour, and only where the
//! caller pointed. Servers that lie are in `lying_payees`.

use nutpurse::testing::model::lnurl::encode;
use serde_json::{Value, json};
use testbed::harness::payees::{self, lie};
use testbed::{Behaviour, InvoiceLie, Lightning, LnurlServer, TestMint};

use crate::world::{Agent, Home, Settings, conserved, fund, has, has_for, holdings, mint};

/// A wallet with a thousand sats, a payee's server that it may ask, and one that it may not.
pub(crate) struct Scene {
    lightning: Lightning,
    pub(crate) mint: TestMint,
    pub(crate) server: LnurlServer,
    pub(crate) canary: LnurlServer,
    pub(crate) agent: Agent,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(true).await
    }

    /// `play` or real money.
    pub(crate) async fn of(play: bool) -> Self {
        let (lightning, mint) = mint().await;
        let (server, canary) = (
            LnurlServer::start(&lightning).await.unwrap(),
            LnurlServer::start(&lightning).await.unwrap(),
        );
        let settings = Settings::default().mint(mint.url(), play).allow([server.url()]);
        let agent = Agent::open(Home::new(&settings).unwrap());
        fund(&agent, 1_000).await;
        Self { lightning, mint, server, canary, agent }
    }

    pub(crate) fn pay(&self, sats: u64) -> Value {
        json!({"to": self.server.address("alice"), "amount_sats": sats})
    }

    pub(crate) fn melts(&self) -> usize {
        self.mint.auditor().melts().unwrap().len()
    }

    /// Nothing left, and nobody was asked who must not be.
    pub(crate) async fn nothing_moved(&self, what: &str) {
        assert_eq!(
            (self.melts(), self.server.received(), self.canary.asked().len()),
            (0, 0, 0),
            "{what}"
        );
        let held = holdings(&self.agent).await;
        assert_eq!((held.spendable, held.pending), (1_000, 0), "{what}");
    }
}

pub(crate) fn with(arguments: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut arguments = arguments.clone();
    arguments[name] = value.into();
    arguments
}

#[tokio::test]
async fn an_address_is_paid_once_with_two_questions_and_a_comment() {
    let scene = Scene::new().await;
    let pay = with(&with(&scene.pay(21), "comment", "for the coffee"), "idempotency_key", "coffee");
    let paid = scene.agent.ok("pay", pay.clone()).await;
    has(&paid, json!({"state": "settled", "proof": "preimage", "comment_sent": true}));
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
        has(
            &again,
            json!({"replayed": true, "payment_id": paid["payment_id"], "comment_sent": true}),
        );
    }
    assert_eq!((scene.server.asked().len(), scene.server.received(), scene.melts()), (2, 21, 1));
    scene.agent.refused("pay", with(&pay, "amount_sats", 22), "key_conflict").await;
    let history = scene.agent.ok("list_history", json!({"kind": "payment"})).await;
    let entry = &history["entries"][0];
    has_for(
        &history,
        entry,
        json!({"payee": scene.server.address("alice"), "note": "for the coffee"}),
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
        has_for(way, &again, json!({"state": "settled", "replayed": false}));
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
    has(&paid, json!({"state": "settled", "comment_sent": false}));
    let plain = scene.agent.ok("pay", scene.pay(11)).await;
    assert!(plain.get("comment_sent").is_none(), "{plain}");
    let asked = scene.server.asked();
    assert!(
        asked
            .iter()
            .all(|one| !one.query.contains_key("comment") && !one.query.contains_key("nostr")),
        "{asked:?}"
    );
    let shown = scene.agent.payment(&paid["payment_id"]).await;
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
    let canary = scene.canary.url_of("alice");
    let mut denied = payees::private_addresses(canary.split(['/', ':']).nth(4).unwrap());
    denied.extend([scene.canary.address("alice"), "alice@localhost".to_owned()]);
    for url in payees::private_urls("9").into_iter().chain([canary]) {
        denied.extend([encode(&url).unwrap(), format!("lnurlp:{url}")]);
    }
    let denied = denied.into_iter().map(|to| (to, "address_refused"));
    for (to, code) in denied.chain([
        (encode("https://example.com/?tag=login&k1=00").unwrap(), "payee_unsupported"),
        (encode("https://user@example.com/").unwrap(), "invalid_input"),
    ]) {
        scene.agent.refused("pay", json!({"to": to, "amount_sats": 10}), code).await;
    }
    scene.nothing_moved("denied").await;
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
    has(&again, json!({"state": "pending", "replayed": true}));
    assert_eq!(scene.server.asked_for_invoices(), 1);
    scene.lightning.settle(hash);
    assert_eq!(scene.agent.ended(&pending["payment_id"]).await["state"], "settled");
    conserved("slow", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn an_estimate_asks_what_the_payee_takes_and_for_no_invoice() {
    let scene = Scene::new().await;
    let estimate = scene.agent.ok("estimate", scene.pay(100)).await;
    has(&estimate, json!({"kind": "lightning_address", "verdict": "allowed"}));
    has(&estimate, json!({"min_sats": 1, "max_sats": 100_000}));
    has(&estimate, json!({"max_fee_sats": 5, "max_total_sats": 105}));
    has(&estimate, json!({"untrusted_description": "Sats for alice", "mint": scene.mint.url()}));
    let open = json!({"to": encode(&scene.server.url_of("alice")).unwrap()});
    let estimate = scene.agent.ok("estimate", open).await;
    has(&estimate, json!({"kind": "lnurl", "code": "amount_missing"}));
    has(&estimate, json!({"min_sats": 1, "max_sats": 100_000}));
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
