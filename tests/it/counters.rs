//! Counters of secrets (NUT-13): however many outputs a mint refuses or does not need, the words bring every coin back.

use serde_json::{Value, json};
use testbed::{Behaviour, Lightning, Proxy, TestMint};

use crate::bad_input::{coin, token};
use crate::restore::{fresh, restored, words};
use crate::world::{Agent, Home, conserved, fund, funded, holdings, mint, sats};

/// So many payments have more blank outputs together than a restore looks beyond the last counter that is signed: each is made with a coin
/// of thousands of sats, and so with eleven.
const PAYMENTS: usize = 40;

/// The words alone, in a new home, bring what the wallet holds.
async fn all_comes_back(what: &str, mint: &TestMint, agent: Agent) {
    let before = conserved(what, &mint.auditor(), &[&agent]).await;
    assert_eq!((before.pending, before.unclaimed), (0, 0), "{what}");
    let lost = agent.close().await;
    let home = fresh(&[mint]);
    restored(&home, &words(&lost));
    let agent = Agent::open(home).await;
    assert_eq!(holdings(&agent).await.spendable, before.spendable, "{what}");
}

/// The mint's keyset, as it tells another wallet.
async fn keyset_of(mint: &TestMint) -> String {
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    Agent::open(Home::at(&[(&proxy.url(), true)])).await.ok("deposit", json!({"amount_sats": 1})).await;
    let asked = proxy.exchanges();
    let keysets = asked.iter().find(|exchange| exchange.path == "/v1/keysets").unwrap();
    keysets.response["keysets"][0]["id"].as_str().unwrap().to_owned()
}

/// A wallet with so many sats in few coins.
async fn with_sats(sats: u64) -> (Lightning, TestMint, Agent) {
    let (lightning, mint) = mint().await;
    let friend = funded(&mint, sats + 1).await;
    let agent = Agent::open(Home::at(&[(&mint.url(), true)])).await;
    let all = friend.ok("send_token", json!({"amount_sats": sats + 1})).await["token"].clone();
    agent.ok("receive_token", json!({"token": all})).await;
    (lightning, mint, agent)
}

#[tokio::test]
async fn forged_tokens_of_any_amount_leave_no_gap() {
    let (_lightning, mint, agent) = with_sats(100).await;
    let keyset = keyset_of(&mint).await;
    for number in 0..20 {
        let forged = token(&mint.url(), "sat", &[coin(900 << 31, &keyset, &format!("forged {number}"))]);
        agent.call("receive_token", json!({"token": forged})).await.unwrap_err();
        let many = token(&mint.url(), "sat", &[coin((1 << 31) - 1, &keyset, &format!("of many coins {number}"))]);
        agent.call("receive_token", json!({"token": many})).await.unwrap_err();
    }
    fund(&agent, 77).await;
    all_comes_back("forged tokens", &mint, agent).await;
}

#[tokio::test]
async fn payments_that_fail_leave_no_gap() {
    let (lightning, mint, agent) = with_sats(4_096).await;
    let shop = lightning.payee("shop");
    for number in 0..PAYMENTS {
        let invoice = shop.invoice(100, &number.to_string()).unwrap();
        lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Fail);
        agent.refused("pay", json!({"to": invoice.to_string()}), "route_not_found").await;
    }
    fund(&agent, 77).await;
    all_comes_back("payments that fail", &mint, agent).await;
}

#[tokio::test]
async fn payments_that_need_few_of_their_blank_outputs_leave_no_gap() {
    let (lightning, mint, agent) = with_sats(4_096).await;
    let shop = lightning.payee("shop");
    for number in 0..PAYMENTS {
        let invoice = shop.invoice(5, &number.to_string()).unwrap().to_string();
        assert_eq!(agent.ok("pay", json!({"to": invoice})).await["state"], "settled");
    }
    let mut changes = agent.wallet().await.changes();
    while agent.wallet().await.has_open().await {
        tokio::time::timeout(std::time::Duration::from_secs(60), changes.changed()).await.unwrap().unwrap();
    }
    fund(&agent, 77).await;
    all_comes_back("blank outputs", &mint, agent).await;
}

#[tokio::test]
async fn several_deposits_together_do_not_pass_the_owners_cap() {
    let (_lightning, mint) = mint().await;
    let home = Home::at(&[(&mint.url(), true)]);
    home.write("mints.toml", &format!("[[mint]]\nurl = \"{}\"\ntest = true\nmax_balance_sats = 1000\n", mint.url()));
    let agent = Agent::open(home).await;
    let calls: Vec<_> = (0..4).map(|_| agent.start("deposit", json!({"amount_sats": 900}))).collect();
    let mut made: Vec<Value> = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(deposit) => made.push(deposit),
            Err(error) => assert_eq!(error.code.as_str(), "over_balance_limit", "{error}"),
        }
    }
    assert_eq!(made.len(), 1, "{made:?}");
    let received = agent.ok("get_deposit", json!({"deposit_id": made[0]["deposit_id"], "wait_seconds": 30})).await;
    assert_eq!(received["state"], "received");
    agent.refused("deposit", json!({"amount_sats": 101}), "over_balance_limit").await;
    assert_eq!(sats(&agent.ok("deposit", json!({"amount_sats": 100})).await, "amount_sats"), 100);
}
