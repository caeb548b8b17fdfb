//! Paying invoices.

use serde_json::json;

use crate::world::{conserved, fund, funded, has, holdings, mint, sats};

#[tokio::test]
async fn an_invoice_is_paid_with_a_receipt_and_a_second_call_is_a_replay() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    let shop = lightning.payee("shop");
    let invoice = shop.invoice(5, "a coffee").unwrap().to_string();

    let paid = agent.ok("pay", json!({"to": invoice})).await;
    has(&paid, json!({"state": "settled", "proof": "preimage"}));
    assert_eq!(paid["money"], "play");
    let again = agent.ok("pay", json!({"to": invoice})).await;
    assert_eq!(again["replayed"], true);
    assert_eq!(again["payment_id"], paid["payment_id"]);

    assert_eq!(shop.received(), 5);
    assert_eq!(mint.auditor().melts().unwrap().len(), 1);
    conserved("paid 5", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_warm_payment_costs_two_requests_and_a_balance_none() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    let shop = lightning.payee("shop");
    agent.ok("pay", json!({"to": shop.invoice(100, "cold").unwrap().to_string()})).await;
    let _warm_up = mint.take_requests();
    agent.ok("pay", json!({"to": shop.invoice(100, "warm").unwrap().to_string()})).await;
    let routes: Vec<String> = mint.take_requests().iter().map(testbed::Request::route).collect();
    assert_eq!(routes, ["POST /v1/melt/quote/bolt11", "POST /v1/melt/bolt11"]);
    agent.ok("get_balance", json!({})).await;
    assert!(mint.take_requests().is_empty());
}

#[tokio::test]
async fn thirty_different_invoices_in_parallel_all_settle() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    let shop = lightning.payee("shop");
    let pays = (0..30).map(|n| {
        let (agent, invoice) =
            (agent.clone(), shop.invoice(5, &format!("number {n}")).unwrap().to_string());
        tokio::spawn(async move { agent.ok("pay", json!({"to": invoice})).await })
    });
    for pay in futures::future::join_all(pays).await {
        assert_eq!(pay.unwrap()["state"], "settled");
    }
    assert_eq!(shop.received(), 150);
    conserved("thirty paid", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn fifty_pays_of_one_invoice_are_one_payment() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    let shop = lightning.payee("shop");
    let invoice = shop.invoice(5, "once").unwrap().to_string();
    let pays = (0..50).map(|_| {
        let (agent, invoice) = (agent.clone(), invoice.clone());
        tokio::spawn(async move { agent.ok("pay", json!({"to": invoice})).await })
    });
    for pay in futures::future::join_all(pays).await {
        let state = pay.unwrap()["state"].as_str().unwrap().to_owned();
        assert!(state == "settled" || state == "pending", "{state}");
    }
    assert_eq!((shop.received(), mint.auditor().melts().unwrap().len()), (5, 1));
    conserved("one paid", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_token_goes_from_wallet_to_wallet_and_another_comes_back() {
    let (_lightning, mint) = mint().await;
    let (giver, taker) = (funded(&mint, 1_000).await, funded(&mint, 10).await);
    let sent = giver.ok("send_token", json!({"amount_sats": 21, "memo": "for you"})).await;
    conserved("sent 21", &mint.auditor(), &[&giver, &taker]).await;
    let received = taker.ok("receive_token", json!({"token": sent["token"]})).await;
    assert_eq!(received["state"], "received", "{received}");
    assert_eq!(sats(&received, "received_sats") + sats(&received, "fee_sats"), 21);
    let claimed = giver.payment(&sent["payment_id"]).await;
    assert_eq!(claimed["claimed"], true, "{claimed}");
    conserved("received 21", &mint.auditor(), &[&giver, &taker]).await;

    let made = giver.ok("send_token", json!({"amount_sats": 8})).await;
    let back = giver.ok("reclaim_token", json!({"payment_id": made["payment_id"]})).await;
    assert_eq!(back["state"], "returned", "{back}");
    conserved("took back 8", &mint.auditor(), &[&giver, &taker]).await;
    assert_eq!(holdings(&giver).await.unclaimed, 0);
    fund(&giver, 5).await;
}
