//! The same again: what is paid once stays paid once, what failed may be tried again, what is open
//! is not paid a second time.

use serde_json::{Value, json};
use testbed::{Behaviour, Bolt11Invoice, Lightning, Moment, Payee, Proxy, Rule, TestMint};
use tokio::task::JoinHandle;

use crate::world::{
    Agent, Failure, conserved, fund, funded, has, holdings, mint, paid_out, proxied, routes, sats,
};

struct Held {
    lightning: Lightning,
    mint: TestMint,
    proxy: Proxy,
    agent: Agent,
    shop: Payee,
    invoice: Bolt11Invoice,
    call: JoinHandle<Result<Value, Failure>>,
}

impl Held {
    /// A payment that its payee holds, whose caller still waits.
    async fn begin() -> Self {
        let (lightning, mint, proxy, agent) = proxied(1_000).await;
        let shop = lightning.payee("shop");
        let invoice = shop.invoice(50, "held").unwrap();
        lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Pending);
        let call =
            agent.start("pay", json!({"to": invoice.to_string(), "idempotency_key": "first"}));
        lightning.attempted(invoice.payment_hash()).await;
        Self { lightning, mint, proxy, agent, shop, invoice, call }
    }

    async fn found(&self) -> Value {
        self.agent
            .ok("get_payment", json!({"payment_hash": self.invoice.payment_hash().to_string()}))
            .await
    }

    fn other(&self) -> Value {
        json!({"to": self.shop.invoice(50, "another").unwrap().to_string()})
    }

    async fn only_a_person(&self) {
        let refusal = self.agent.refused("pay", self.other(), "possible_duplicate").await;
        assert_eq!(refusal.details.get("person_only"), Some(&json!(true)), "{refusal:?}");
        let mut excused = self.other();
        excused["repeat_of"] = json!(refusal.payment_id);
        excused["idempotency_key"] = json!("another");
        self.agent.refused("pay", excused, "possible_duplicate").await;
    }
}

#[tokio::test]
async fn an_invoice_is_paid_by_the_same_call_once_the_money_and_the_way_are_there() {
    for key in [None, Some("lunch")] {
        let (lightning, mint) = mint().await;
        let agent = funded(&mint, 20).await;
        let invoice = lightning.payee("shop").invoice(100, "lunch").unwrap();
        let call = json!({"to": invoice.to_string(), "idempotency_key": key});
        agent.refused("pay", call.clone(), "insufficient_funds").await;
        fund(&agent, 500).await;
        lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Fail);
        let failed = agent.refused("pay", call.clone(), "route_not_found").await;
        let shown = agent.ok("get_payment", json!({"payment_id": failed.payment_id})).await;
        has(&shown, json!({"state": "failed", "final": true, "error": "route_not_found"}));
        conserved("failed", &mint.auditor(), &[&agent]).await;
        lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Settle);
        let paid = agent.ok("pay", call.clone()).await;
        has(&paid, json!({"state": "settled", "replayed": false}));
        assert_eq!(paid["payment_id"], json!(failed.payment_id));
        let again = agent.ok("pay", call).await;
        has(&again, json!({"replayed": true, "preimage": paid["preimage"]}));
        assert_eq!(paid_out(&mint), sats(&paid, "total_sats"));
        conserved("paid at last", &mint.auditor(), &[&agent]).await;
    }
}

#[tokio::test]
async fn a_held_payment_is_not_paid_again_whatever_the_key() {
    let held = Held::begin().await;
    let to = held.invoice.to_string();
    let id = held.found().await["payment_id"].clone();
    for key in [None, Some("first"), Some("second"), id.as_str()] {
        let again = held.agent.ok("pay", json!({"to": to, "idempotency_key": key})).await;
        has(&again, json!({"state": "pending", "replayed": true, "payment_id": id}));
    }
    assert_eq!(held.mint.auditor().melts().unwrap().len(), 1);
    held.agent.ok("pay", held.other()).await;
    held.lightning.settle(held.invoice.payment_hash());
    let paid = held.call.await.unwrap().unwrap();
    has(&paid, json!({"state": "settled", "proof": "preimage"}));
    held.agent
        .ok("pay", json!({"to": held.shop.invoice(50, "one more").unwrap().to_string()}))
        .await;
    assert_eq!(held.shop.received(), 150);
    conserved("held and settled", &held.mint.auditor(), &[&held.agent]).await;
}

#[tokio::test]
async fn a_payment_whose_caller_left_stands_in_the_way_of_its_like_until_it_fails() {
    let held = Held::begin().await;
    held.call.abort();
    held.found().await;
    held.only_a_person().await;
    let shown = held.found().await;
    has(&shown, json!({"state": "pending", "final": false}));
    assert!(shown["pending_reason"].is_string() && shown["since"].is_string(), "{shown}");
    let mid = holdings(&held.agent).await;
    assert!(mid.pending >= 50, "{mid:?}");

    held.lightning.fail(held.invoice.payment_hash());
    // The mint would keep the exchange open for a minute; and another passes before what it calls
    // unpaid may be called off.
    held.proxy.cut();
    let other = held.other();
    let agent = Agent::two_minutes_later(held.agent.close().await);
    let ended = agent.ended(&shown["payment_id"]).await;
    assert_eq!(ended["state"], "failed", "{ended}");
    let after = conserved("held and failed", &held.mint.auditor(), &[&agent]).await;
    assert_eq!(
        (after.spendable, after.pending),
        (999, 0),
        "all coins are back, but for the fee of swapping them"
    );
    agent.ok("pay", other).await;
    held.lightning.set_behaviour_of(held.invoice.payment_hash(), Behaviour::Settle);
    let again = agent.ok("pay", json!({"to": held.invoice.to_string()})).await;
    has(&again, json!({"state": "settled", "payment_id": shown["payment_id"]}));
}

#[tokio::test]
async fn a_payment_whose_caller_left_stands_in_the_way_of_its_like_when_it_is_paid() {
    let held = Held::begin().await;
    held.call.abort();
    let shown = held.found().await;
    held.lightning.settle(held.invoice.payment_hash());
    let ended = held.agent.ended(&shown["payment_id"]).await;
    has(&ended, json!({"state": "settled", "proof": "preimage"}));
    assert_eq!(ended["preimage"], json!(held.lightning.preimage(held.invoice.payment_hash())));
    held.only_a_person().await;
    assert_eq!(held.shop.received(), 50);
    conserved("held and settled", &held.mint.auditor(), &[&held.agent]).await;
}

#[tokio::test]
async fn a_caller_who_waits_is_answered_pending_in_time_and_then_stands_in_doubt() {
    let held = Held::begin().await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let answer = held.call.await.unwrap().unwrap();
    assert!(begun.elapsed().as_secs() <= 45, "{:?}", begun.elapsed());
    tokio::time::resume();
    has(&answer, json!({"state": "pending", "replayed": false}));
    let held = Held { call: tokio::spawn(async { panic!("over") }), ..held };
    held.only_a_person().await;
    held.lightning.settle(held.invoice.payment_hash());
    let ended = held.agent.ended(&answer["payment_id"]).await;
    assert_eq!(ended["state"], "settled", "{ended}");
    held.only_a_person().await;
    conserved("answered pending", &held.mint.auditor(), &[&held.agent]).await;
}

#[tokio::test]
async fn no_call_waits_longer_than_45_seconds_for_a_silent_mint() {
    let (lightning, _mint, proxy, agent) = proxied(500).await;
    for tool in ["pay", "estimate"] {
        let hung = proxy.fail(Rule::new("POST", "/v1/melt/quote", Moment::Hang));
        let invoice = lightning.payee("shop").invoice(5, "silence").unwrap().to_string();
        let call = agent.start(tool, json!({"to": invoice}));
        proxy.reached(hung).await;
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let answer = call.await.unwrap();
        assert!(begun.elapsed().as_secs() <= 45, "{tool}: {:?}", begun.elapsed());
        tokio::time::resume();
        proxy.clear();
        match answer {
            Ok(estimate) => assert_eq!(estimate["code"], "mint_unreachable"),
            Err(error) => assert_eq!(error.code.as_str(), "mint_unreachable"),
        }
    }
}

#[tokio::test]
async fn what_was_answered_as_not_begun_never_begins() {
    let (lightning, mint, proxy, agent) = proxied(500).await;
    let shop = lightning.payee("shop");
    agent.ok("pay", json!({"to": shop.invoice(1, "warm").unwrap().to_string()})).await;
    let held = proxy.fail(Rule::new("POST", "/v1/swap", Moment::HoldBefore).every());
    let owner = cdk_common::nuts::SecretKey::generate().public_key().to_hex();
    // Four that stand in line before the payment keep it waiting for longer than its caller waits.
    let mut tokens = Vec::new();
    for sats in 21..33 {
        tokens.push(agent.start("send_token", json!({"amount_sats": sats, "lock_to": owner})));
        // By the time that this has been answered often, it stands in line.
        for _ in 0..5 {
            agent.ok("get_balance", json!({})).await;
        }
    }
    proxy.reached(held).await;
    let invoice = shop.invoice(5, "behind slow swaps").unwrap().to_string();
    let quoted = mint.auditor().melts().unwrap().len();
    let pay = agent.start("pay", json!({"to": invoice}));
    while mint.auditor().melts().unwrap().len() == quoted {
        assert!(!pay.is_finished(), "{:?}", pay.await);
        tokio::task::yield_now().await;
    }
    // The quote's answer needs real time to arrive, a call of the same connection behind it too.
    agent.ok("estimate", json!({"to": shop.invoice(6, "behind it").unwrap().to_string()})).await;
    tokio::time::pause();
    let refused = pay.await.unwrap().unwrap_err();
    tokio::time::resume();
    assert_eq!(
        (json!(refused.money_moved), refused.code.as_str()),
        (json!("no"), "mint_unreachable"),
        "{refused}"
    );
    proxy.clear();
    proxy.release(held);
    for token in tokens {
        // The last of them waited too long themselves.
        let Ok(token) = token.await.unwrap() else { continue };
        let token = agent.ended(&token["payment_id"]).await;
        assert_eq!(token["state"], "settled", "{token}");
    }
    let home = agent.close().await;
    assert_eq!(shop.received(), 1, "the refused payment was not made behind its caller's back");
    let agent = Agent::reopen(home);
    conserved("refused", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_key_names_one_request_and_a_payment_can_be_found_by_all_its_names() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 500).await;
    let shop = lightning.payee("shop");
    let invoice = shop.invoice(5, "named").unwrap();
    let paid = agent.ok("pay", json!({"to": invoice.to_string(), "idempotency_key": "k"})).await;
    let other = shop.invoice(5, "other").unwrap().to_string();
    agent.refused("pay", json!({"to": other, "idempotency_key": "k"}), "key_conflict").await;
    agent
        .refused("pay", json!({"to": other, "idempotency_key": paid["payment_id"]}), "key_conflict")
        .await;
    agent
        .refused("send_token", json!({"amount_sats": 5, "idempotency_key": "k"}), "key_conflict")
        .await;
    for name in [
        json!({"payment_id": paid["payment_id"]}),
        json!({"payment_hash": invoice.payment_hash().to_string()}),
        json!({"payment_hash": invoice.payment_hash().to_string().to_uppercase()}),
        json!({"idempotency_key": "k"}),
    ] {
        let shown = agent.ok("get_payment", name).await;
        has(&shown, json!({"payment_id": paid["payment_id"], "final": true}));
    }
    let again = agent
        .ok("pay", json!({"to": invoice.to_string(), "idempotency_key": paid["payment_id"]}))
        .await;
    assert_eq!(again["replayed"], true);
    agent
        .named("stranger")
        .refused("get_payment", json!({"payment_id": paid["payment_id"]}), "not_found")
        .await;
    assert_eq!(shop.received(), 5);
}

#[tokio::test]
async fn a_second_equal_token_is_made_only_on_purpose() {
    let (_lightning, mint) = mint().await;
    let agent = funded(&mint, 500).await;
    let first = agent.ok("send_token", json!({"amount_sats": 21, "idempotency_key": "a"})).await;
    drop(mint.take_requests());
    let replay = agent.ok("send_token", json!({"amount_sats": 21, "idempotency_key": "a"})).await;
    has(&replay, json!({"replayed": true, "token": first["token"]}));
    let refusal = agent
        .refused(
            "send_token",
            json!({"amount_sats": 21, "idempotency_key": "b"}),
            "possible_duplicate",
        )
        .await;
    assert_eq!(
        (json!(refusal.payment_id), refusal.details.get("person_only")),
        (first["payment_id"].clone(), Some(&json!(false)))
    );
    let asked = routes(&mint);
    assert!(!asked.contains(&"POST /v1/swap".to_owned()), "{asked:?}");
    agent.ok("send_token", json!({"amount_sats": 21, "memo": "another"})).await;
    let second = agent
        .ok(
            "send_token",
            json!({"amount_sats": 21, "idempotency_key": "b", "repeat_of": first["payment_id"]}),
        )
        .await;
    assert_ne!(second["token"], first["token"]);
    agent
        .refused(
            "send_token",
            json!({"amount_sats": 21, "repeat_of": first["payment_id"]}),
            "possible_duplicate",
        )
        .await;
    assert_eq!(holdings(&agent).await.unclaimed, 63);
    conserved("three tokens", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn twenty_takers_of_one_token_in_parallel_are_one_receipt() {
    let (_lightning, mint) = mint().await;
    let (giver, taker) = (funded(&mint, 500).await, funded(&mint, 10).await);
    let sent = giver.ok("send_token", json!({"amount_sats": 64})).await;
    let token = sent["token"].clone();
    let calls: Vec<_> =
        (0..20).map(|_| taker.start("receive_token", json!({"token": token}))).collect();
    let mut ids = Vec::new();
    for call in calls {
        ids.push(call.await.unwrap().unwrap()["receive_id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let again = taker.ok("receive_token", json!({"token": token})).await;
    has(&again, json!({"state": "received", "replayed": true}));
    giver.payment(&sent["payment_id"]).await;
    conserved("received once", &mint.auditor(), &[&giver, &taker]).await;
}

#[tokio::test]
async fn eight_held_payments_hold_up_no_other_money() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 2_000).await;
    lightning.set_behaviour(Behaviour::Pending);
    let mut held = Vec::new();
    for n in 0..9 {
        let invoice = lightning.payee("shop").invoice(20, &format!("held {n}")).unwrap();
        held.push((agent.start("pay", json!({"to": invoice.to_string()})), invoice));
    }
    while sats(&agent.ok("list_history", json!({"kind": "payment"})).await["totals"], "count") < 8
        || lightning.pending().len() < 8
    {
        tokio::task::yield_now().await;
    }
    // The ninth waits for one of the eight to end.
    agent
        .ok(
            "estimate",
            json!({"to": lightning.payee("shop").invoice(20, "the tenth").unwrap().to_string()}),
        )
        .await;
    let token = tokio::time::timeout(
        std::time::Duration::from_secs(20),
        agent.ok("send_token", json!({"amount_sats": 33})),
    )
    .await;
    assert_eq!(token.expect("Lightning blocks no other money")["state"], "settled");
    lightning.set_behaviour(Behaviour::Settle);
    for (_, invoice) in &held {
        lightning.settle(invoice.payment_hash());
    }
    for (call, _) in held {
        let paid = call.await.unwrap().unwrap();
        assert_eq!(paid["state"], "settled", "{paid}");
    }
    conserved("nine held and settled", &mint.auditor(), &[&agent]).await;
}
