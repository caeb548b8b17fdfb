//! What readers and users found: one test for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Behaviour, InvoiceSpec, LnurlServer, Moment, Proxy, Rule, Terms};
use tokio::task::JoinHandle;

use crate::world::{
    Agent, Failure, Home, Settings, conserved, fund, funded, has, has_for, mint, proxied, sats,
};

/// Starts tokens one after the other that together keep the mint's turn for longer than any caller
/// waits: their swaps are not answered.
async fn slow_tokens(agent: &Agent) -> Vec<JoinHandle<Result<Value, Failure>>> {
    let mut tokens = Vec::new();
    // Four that stand in line before the call at hand keep it waiting for longer than 45 s.
    for sats in 21..33 {
        tokens.push(agent.start("send_token", json!({"amount_sats": sats, "lock_to": NOBODY})));
        // By the time that this has been answered often, it stands in line.
        for _ in 0..5 {
            agent.ok("get_balance", json!({})).await;
        }
    }
    tokens
}

#[tokio::test]
async fn invoices_with_parts_of_a_sat_are_paid_and_rounded() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    for msat in [1, 999, 1_500, 100_001] {
        let spec = InvoiceSpec {
            amount_msat: Some(msat),
            ..InvoiceSpec::sats(1, &format!("{msat} msat"))
        };
        let invoice = lightning.payee("shop").invoice_with(&spec).unwrap().to_string();
        let paid = agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!(paid["state"], "settled", "{msat}: {paid}");
        assert!((1..=msat.div_ceil(1_000)).contains(&sats(&paid, "amount_sats")), "{msat}: {paid}");
    }
    let mut changes = agent.wallet().await.changes();
    while agent.wallet().await.recovery().has_open().await {
        tokio::time::timeout(Duration::from_secs(30), changes.changed()).await.unwrap().unwrap();
    }
    conserved("parts of a sat", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_token_that_was_refused_first_ends_no_page_of_the_history() {
    static AHEAD: AtomicU64 = AtomicU64::new(0);
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let friend = Agent::new([proxy.url()]);
    let agent = Agent::at(Arc::new(Home::at([proxy.url()]).unwrap()), || {
        clock::now() + AHEAD.load(Ordering::SeqCst)
    });
    fund(&friend, 500).await;
    fund(&agent, 10).await;
    let token = friend.ok("send_token", json!({"amount_sats": 64})).await["token"].clone();
    let refused = proxy.fail(Rule::new("POST", "/v1/swap", Moment::Refuse(20_004)));
    agent.call("receive_token", json!({"token": token})).await.unwrap_err();
    proxy.reached(refused).await;
    for minutes in 1..=5 {
        AHEAD.store(60 * minutes, Ordering::SeqCst);
        agent.ok("deposit", json!({"amount_sats": 1})).await;
    }
    AHEAD.store(600, Ordering::SeqCst);
    assert_eq!(agent.ok("receive_token", json!({"token": token})).await["state"], "received");
    let (mut cursor, mut seen) = (None::<String>, Vec::new());
    for _page in 0..20 {
        let mut request = json!({"limit": 1});
        if let Some(cursor) = &cursor {
            request["cursor"] = json!(cursor);
        }
        let page = agent.ok("list_history", request).await;
        seen.extend(
            page["entries"].as_array().unwrap().iter().map(|entry| entry["id"].to_string()),
        );
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((cursor, seen.len()), (None, 7), "{seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7, "no record twice");
    // CSV has pages as well; its first line names the columns.
    for (request, lines, has_next) in [
        (json!({"format": "csv", "limit": 1}), 2, true),
        (json!({"format": "csv"}), 8, false),
        (json!({"format": "csv", "summary_by": "mint"}), 2, false),
    ] {
        let page = agent.ok("list_history", request).await;
        let text = page["csv"].as_str().unwrap();
        assert_eq!((text.lines().count(), page["next_cursor"].is_string()), (lines, has_next));
    }
}

#[tokio::test]
async fn a_second_taker_of_a_token_is_told_of_the_receipt_that_there_is() {
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let (friend, agent) = (Agent::new([proxy.url()]), Agent::new([proxy.url()]));
    fund(&friend, 64).await;
    fund(&agent, 500).await;
    let token = friend.ok("send_token", json!({"amount_sats": 64})).await;
    let held = proxy.fail(Rule::new("POST", "/v1/swap", Moment::HoldBefore).every());
    let slow = slow_tokens(&agent).await;
    proxy.reached(held).await;
    let takers: Vec<_> =
        (0..5).map(|_| agent.start("receive_token", json!({"token": token["token"]}))).collect();
    while agent.ok("list_history", json!({"kind": "token_received"})).await["entries"]
        .as_array()
        .unwrap()
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let told: Vec<_> =
        join_all(takers).await.into_iter().map(|told| told.unwrap().unwrap()).collect();
    tokio::time::resume();
    for one in &told {
        has_for(
            format!("{told:?}"),
            one,
            json!({"state": "pending", "receive_id": told[0]["receive_id"]}),
        );
    }
    proxy.clear();
    proxy.release(held);
    join_all(slow).await;
    let ended = agent.ended(&told[0]["receive_id"]).await;
    assert_eq!(ended["state"], "received", "{ended}");
}

#[tokio::test]
async fn a_payment_that_was_not_begun_in_time_says_what_it_waited_for() {
    let (lightning, mint, proxy, agent) = proxied(2_000).await;
    let shop = lightning.payee("shop");
    let held = proxy.fail(Rule::new("POST", "/v1/swap", Moment::HoldBefore).every());
    let slow = slow_tokens(&agent).await;
    proxy.reached(held).await;
    // Eight have a place among those that are leaving, and wait for the mint; the ninth waits for a
    // place.
    let invoices = (0..9).map(|number| shop.invoice(5, &number.to_string()).unwrap().to_string());
    let pays: Vec<_> = invoices.map(|invoice| agent.start("pay", json!({"to": invoice}))).collect();
    while mint.auditor().melts().unwrap().len() < 9 {
        tokio::task::yield_now().await;
    }
    // The quotes' answers need real time to arrive, one of the same connection behind them too.
    let quoted =
        |one: &testbed::Exchange| one.path == "/v1/melt/quote/bolt11" && one.status.is_some();
    while proxy.count(quoted) < 9 {
        tokio::task::yield_now().await;
    }
    agent.ok("estimate", json!({"to": shop.invoice(6, "behind them").unwrap().to_string()})).await;
    tokio::time::pause();
    let told: Vec<_> =
        join_all(pays).await.into_iter().map(|told| told.unwrap().unwrap_err()).collect();
    tokio::time::resume();
    let of_code = |code: &str| told.iter().filter(|error| error.code.as_str() == code).count();
    assert_eq!((of_code("mint_unreachable"), of_code("too_many_requests")), (8, 1), "{told:?}");
    assert!(told.iter().all(|error| json!(error.money_moved) == json!("no")), "{told:?}");
    proxy.clear();
    proxy.release(held);
    join_all(slow).await;
    assert_eq!(shop.received(), 0);
}

#[tokio::test]
async fn a_payee_that_takes_no_whole_sat_is_paid_what_it_takes() {
    let (lightning, mint) = mint().await;
    let server = LnurlServer::start(&lightning).await.unwrap();
    server.set(Terms {
        first: json!({"minSendable": 100_500, "maxSendable": 100_500}),
        ..Terms::default()
    });
    let home = Home::new(&Settings::at([mint.url()]).allow([server.url()])).unwrap();
    let agent = Agent::open(home);
    fund(&agent, 1_000).await;
    let pay = |sats: u64| json!({"to": server.address("alice"), "amount_sats": sats});

    let refused = agent.refused("pay", pay(100), "amount_out_of_range").await;
    assert_eq!(
        (refused.details.get("min_sats"), refused.details.get("max_sats")),
        (Some(&json!(101)), Some(&json!(101))),
        "{refused:?}"
    );
    let estimate = agent.ok("estimate", pay(101)).await;
    assert_eq!(estimate["verdict"], "allowed", "{estimate}");
    let paid = agent.ok("pay", pay(101)).await;
    has(&paid, json!({"state": "settled", "proof": "preimage"}));
    let asked = server.asked();
    assert_eq!(asked.last().unwrap().query["amount"], "100500", "{asked:?}");
    assert_eq!(lightning.payments().last().unwrap().amount_msat, 100_500);
    // What it says left is what the mint took.
    let melt = mint.auditor().melts().unwrap().remove(0);
    has_for(
        format!(", {melt:?}"),
        &paid,
        json!({"amount_sats": 101, "total_sats": melt.amount_sats + melt.fee_sats}),
    );
    conserved("half a sat", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn tokens_received_together_do_not_pass_the_owners_cap() {
    let (_lightning, mint) = mint().await;
    let home = Home::at([mint.url()]).unwrap();
    home.write(
        "mints.toml",
        &format!("[[mint]]\nurl = \"{}\"\ntest = true\nmax_balance_sats = 1000\n", mint.url()),
    )
    .unwrap();
    let (agent, friend) = (Agent::open(home), funded(&mint, 4_000).await);
    let mut tokens = Vec::new();
    for number in 0..4 {
        tokens.push(
            friend
                .ok("send_token", json!({"amount_sats": 900, "memo": format!("number {number}")}))
                .await,
        );
    }
    let calls: Vec<_> = tokens
        .iter()
        .map(|token| agent.start("receive_token", json!({"token": token["token"]})))
        .collect();
    let mut taken = 0;
    for call in join_all(calls).await {
        match call.unwrap() {
            Ok(received) => taken += usize::from(received["state"] == "received"),
            Err(error) => assert_eq!(error.code.as_str(), "over_balance_limit", "{error}"),
        }
    }
    assert_eq!(taken, 1);
    for token in &tokens {
        friend.payment(&token["payment_id"]).await;
    }
    conserved("one of four", &mint.auditor(), &[&agent, &friend]).await;
}

#[tokio::test]
async fn eight_held_invoices_do_not_hold_up_a_ninth() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 4_000).await;
    let shop = lightning.payee("shop");
    let mut held = Vec::new();
    for number in 0..8_u64 {
        let invoice = shop.invoice(1 + number, "held").unwrap();
        lightning
            .set_behaviour_of(invoice.payment_hash(), Behaviour::Delay(Duration::from_secs(8)));
        held.push((
            invoice.payment_hash().to_string(),
            agent.start("pay", json!({"to": invoice.to_string()})),
        ));
    }
    for (hash, _) in &held {
        lightning.attempted(hash).await;
    }
    let ninth = shop.invoice(50, "not held").unwrap().to_string();
    let begun = Instant::now();
    let paid = tokio::time::timeout(Duration::from_secs(2), agent.ok("pay", json!({"to": ninth})))
        .await
        .unwrap();
    println!("the ninth took {} ms", begun.elapsed().as_millis());
    assert_eq!(paid["state"], "settled");
    for (_, call) in held {
        assert_eq!(call.await.unwrap().unwrap()["state"], "settled");
    }
}
