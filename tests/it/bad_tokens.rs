//! Tokens that are none, forged, spent, or of mints that nobody trusts: nobody untrusted is
//! contacted, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use testbed::TestMint;
use testbed::harness::input::{KEYSET, coin, token, tokens};
use tokio::net::TcpListener;

use crate::bad_input::is_refused;
use crate::world::{Agent, Home, Settings, conserved, fund, funded, mint, proxied, sats};

/// Something on this machine that counts who comes.
struct Trap {
    url: String,
    visits: Arc<AtomicUsize>,
}

impl Trap {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let visits = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&visits);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { url, visits }
    }

    fn is_untouched(&self) {
        assert_eq!(self.visits.load(Ordering::SeqCst), 0, "somebody untrusted was contacted");
    }
}

/// A wallet whose owner allows the trap's address, but does not trust it as a mint.
async fn beside_a_trap(mint: &TestMint, trap: &Trap) -> Agent {
    let settings = Settings::at([mint.url()]).allow([&trap.url]);
    let agent = Agent::open(Home::new(&settings).unwrap());
    fund(&agent, 500).await;
    agent
}

#[tokio::test]
async fn tokens_that_are_none_or_of_strangers_contact_nobody() {
    let (_lightning, mint) = mint().await;
    let trap = Trap::set().await;
    let agent = beside_a_trap(&mint, &trap).await;
    let here = mint.url();
    agent.ok("get_balance", json!({})).await;
    let asked = mint.requests().len();
    let mut rows = tokens(&here);
    rows.push((token(&trap.url, "sat", &[coin(8, KEYSET, "a")]), "mint_not_trusted"));
    for (text, code) in rows {
        is_refused(&agent, "receive_token", json!({"token": text}), &[code]).await;
    }
    is_refused(
        &agent,
        "deposit",
        json!({"amount_sats": 5, "mint": trap.url}),
        &["mint_not_trusted"],
    )
    .await;
    is_refused(
        &agent,
        "send_token",
        json!({"amount_sats": 5, "mint": trap.url}),
        &["mint_not_trusted"],
    )
    .await;
    trap.is_untouched();
    let routes: Vec<String> =
        mint.requests().iter().skip(asked).map(testbed::Request::route).collect();
    assert!(routes.iter().all(|route| !route.contains("swap")), "{routes:?}");
    conserved("bad tokens", &mint.auditor(), &[&agent]).await;
    fund(&agent, 5).await;
}

#[tokio::test]
async fn coins_that_a_trusted_mint_does_not_know_are_refused_by_it() {
    let (_lightning, mint, proxy, agent) = proxied(100).await;
    let exchanges = proxy.exchanges();
    let keysets = exchanges.iter().find(|exchange| exchange.path == "/v1/keysets").unwrap();
    let id = keysets.response["keysets"][0]["id"].as_str().unwrap().to_owned();
    let codes = ["token_invalid", "mint_refused", "amount_out_of_range"];
    let mut witnessed = coin(8, &id, "a witness");
    witnessed["witness"] = json!(json!({"signatures": ["f".repeat(100_000)]}).to_string());
    for coins in [
        vec![coin(8, &id, "forged")],
        vec![coin(7, &id, "no power of two")],
        vec![coin(8, KEYSET, "another keyset")],
        vec![coin(u64::MAX, &id, "more than there is")],
        vec![coin(1 << 40, &id, "far too much")],
        vec![coin(8, &id, &"s".repeat(100_000))],
        vec![witnessed],
    ] {
        let before = proxy.exchanges().len();
        let text = token(&proxy.url(), "sat", &coins);
        if let Ok(answer) = agent.call("receive_token", json!({"token": text})).await {
            let told: Vec<_> = proxy
                .exchanges()
                .into_iter()
                .skip(before)
                .map(|one| (one.path, one.status, one.response))
                .collect();
            panic!("a forged token was answered {answer}: {told:?}");
        }
        is_refused(&agent, "receive_token", json!({"token": text}), &codes).await;
    }
    conserved("forged coins", &mint.auditor(), &[&agent]).await;
    fund(&agent, 5).await;
}

#[tokio::test]
async fn a_token_is_taken_once_and_a_locked_one_by_its_owner_alone() {
    let (_lightning, mint) = mint().await;
    let (giver, taker, late) =
        (funded(&mint, 500).await, funded(&mint, 10).await, funded(&mint, 10).await);
    let sent = giver.ok("send_token", json!({"amount_sats": 20})).await;
    taker.ok("receive_token", json!({"token": sent["token"]})).await;
    is_refused(&late, "receive_token", json!({"token": sent["token"]}), &["token_spent"]).await;
    is_refused(&late, "receive_token", json!({"token": sent["token"]}), &["token_spent"]).await;
    assert_eq!(taker.ok("receive_token", json!({"token": sent["token"]})).await["replayed"], true);
    let key = "0249098aa8b9d2fbec49ff8598feb17b592b986e62319a4fa488a3dc36387157a7";
    let locked = giver.ok("send_token", json!({"amount_sats": 9, "lock_to": key})).await;
    is_refused(&taker, "receive_token", json!({"token": locked["token"]}), &["token_locked"]).await;
    is_refused(
        &giver,
        "reclaim_token",
        json!({"payment_id": locked["payment_id"]}),
        &["token_locked"],
    )
    .await;
    giver.payment(&sent["payment_id"]).await;
    assert_eq!(sats(&giver.ok("get_balance", json!({})).await, "unclaimed_sats"), 9);
    conserved("spent and locked", &mint.auditor(), &[&giver, &taker, &late]).await;
}
