//! What readers and users found: one test for each.

use serde_json::json;
use testbed::{Behaviour, InvoiceSpec, MintOptions, Moment, Proxy, Rule};

use crate::world::{Agent, Home, conserved, fund, funded, mint, mint_with, sats};

#[tokio::test]
async fn invoices_with_parts_of_a_sat_are_paid_and_rounded() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    for msat in [1, 999, 1_500, 100_001] {
        let spec = InvoiceSpec { amount_msat: Some(msat), ..InvoiceSpec::sats(1, &format!("{msat} msat")) };
        let invoice = lightning.payee("shop").invoice_with(&spec).unwrap().to_string();
        let paid = agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!(paid["state"], "settled", "{msat}: {paid}");
        assert!((1..=msat.div_ceil(1_000)).contains(&sats(&paid, "amount_sats")), "{msat}: {paid}");
    }
    let mut changes = agent.wallet().await.changes();
    while agent.wallet().await.has_open().await {
        tokio::time::timeout(std::time::Duration::from_secs(30), changes.changed()).await.unwrap().unwrap();
    }
    conserved("parts of a sat", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_token_that_was_refused_first_ends_no_page_of_the_history() {
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let (friend, agent) = (Agent::open(Home::at(&[(&proxy.url(), true)])).await, Agent::open(Home::at(&[(&proxy.url(), true)])).await);
    fund(&friend, 500).await;
    fund(&agent, 10).await;
    let token = friend.ok("send_token", json!({"amount_sats": 64})).await["token"].clone();
    let refused = proxy.fail(Rule::new("POST", "/v1/swap", Moment::Refuse(20_004)));
    agent.call("receive_token", json!({"token": token})).await.unwrap_err();
    proxy.reached(refused).await;
    for _ in 0..5 {
        agent.ok("deposit", json!({"amount_sats": 1})).await;
    }
    assert_eq!(agent.ok("receive_token", json!({"token": token})).await["state"], "received");
    let (mut cursor, mut seen) = (None::<String>, Vec::new());
    for _page in 0..20 {
        let mut request = json!({"limit": 1});
        if let Some(cursor) = &cursor {
            request["cursor"] = json!(cursor);
        }
        let page = agent.ok("list_history", request).await;
        seen.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["id"].to_string()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((cursor, seen.len()), (None, 7), "{seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7, "no record twice");
}

#[tokio::test]
async fn eight_held_invoices_do_not_hold_up_a_ninth() {
    let (lightning, mint) = mint_with(MintOptions::default()).await;
    let agent = funded(&mint, 4_000).await;
    let shop = lightning.payee("shop");
    let mut held = Vec::new();
    for number in 0..8_u64 {
        let invoice = shop.invoice(1 + number, "held").unwrap();
        lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Delay(std::time::Duration::from_secs(8)));
        held.push((invoice.payment_hash().to_string(), agent.start("pay", json!({"to": invoice.to_string()}))));
    }
    for (hash, _) in &held {
        lightning.attempted(hash).await;
    }
    let ninth = shop.invoice(50, "not held").unwrap().to_string();
    let paid = tokio::time::timeout(std::time::Duration::from_secs(4), agent.ok("pay", json!({"to": ninth}))).await.unwrap();
    assert_eq!(paid["state"], "settled");
    for (_, call) in held {
        assert_eq!(call.await.unwrap().unwrap()["state"], "settled");
    }
}
