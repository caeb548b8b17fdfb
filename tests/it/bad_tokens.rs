//! Tokens that are none, forged, spent, or of mints that nobody trusts: nobody untrusted is
//! contacted, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testbed::{Proxy, TestMint};
use tokio::net::TcpListener;

use crate::bad_input::{MEBIBYTE, deep, is_refused};
use crate::world::{Agent, Home, conserved, fund, funded, mint, sats};

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
    let home = Home::at(&[(&mint.url(), true)]);
    home.write_config(&[(&mint.url(), true), (&trap.url, true)], 100_000, 1_000_000, "");
    let agent = Agent::open(home).await;
    fund(&agent, 500).await;
    agent
}

/// A token of the third version, as its sender wrote it.
fn written(body: &Value) -> String {
    format!("cashuA{}", URL_SAFE_NO_PAD.encode(body.to_string()))
}

pub(crate) fn coin(amount: u64, keyset: &str, secret: &str) -> Value {
    json!({"amount": amount, "id": keyset, "secret": secret, "C": "02bc9097997d81afb2cc7346b5e4345a9346bd2a506eb7958598a72f0cf85163ea"})
}

pub(crate) fn token(mint: &str, unit: &str, coins: &[Value]) -> String {
    written(&json!({"token": [{"mint": mint, "proofs": coins}], "unit": unit, "memo": "for you"}))
}

const KEYSET: &str = "009a1f293253e41e";

#[tokio::test]
async fn tokens_that_are_none_or_of_strangers_contact_nobody() {
    let (_lightning, mint) = mint().await;
    let trap = Trap::set().await;
    let agent = beside_a_trap(&mint, &trap).await;
    let one = [coin(8, KEYSET, "a")];
    let lock = json!(["P2PK", {"nonce": "0a", "data": "0249098aa8b9d2fbec49ff8598feb17b592b986e62319a4fa488a3dc36387157a7", "tags": []}])
        .to_string();
    let many: Vec<Value> = (0..501).map(|number| coin(1, KEYSET, &format!("{number}"))).collect();
    let here = mint.url();
    agent.ok("get_balance", json!({})).await;
    let asked = mint.requests().len();
    let rows = [
        ("cashuA".to_owned(), "token_invalid"),
        ("nonsense".to_owned(), "token_invalid"),
        (format!("cashuB{}", "A".repeat(400_000)), "token_invalid"),
        (format!("cashuA{}", "A".repeat(400_000)), "token_invalid"),
        (format!("cashuB{}", URL_SAFE_NO_PAD.encode(vec![0x9f; 100_000])), "token_invalid"),
        (
            format!(
                "cashuB{}",
                URL_SAFE_NO_PAD.encode([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
            ),
            "token_invalid",
        ),
        (written(&json!({"token": deep(), "unit": "sat"})), "token_invalid"),
        ("A".repeat(4 * MEBIBYTE - 1_000), "invalid_input"),
        ("lnbc1".to_owned(), "token_invalid"),
        (token(&here, "sat", &[]), "token_invalid"),
        (token(&here, "sat", &[coin(0, KEYSET, "a")]), "token_invalid"),
        (token(&here, "sat", &[coin(8, KEYSET, "a"), coin(8, KEYSET, "a")]), "token_invalid"),
        (
            token(&here, "sat", &[coin(u64::MAX, KEYSET, "a"), coin(1, KEYSET, "b")]),
            "token_invalid",
        ),
        (token(&here, "sat", &many), "token_invalid"),
        (token(&here, "usd", &one), "token_invalid"),
        (token(&here, "sat", &[coin(8, KEYSET, &lock)]), "token_locked"),
        (token("no address", "sat", &one), "token_invalid"),
        (token("file:///etc/passwd", "sat", &one), "token_invalid"),
        (token("http://user:pass@127.0.0.1/", "sat", &one), "token_invalid"),
        (token(&trap.url, "sat", &one), "mint_not_trusted"),
        (token("http://169.254.169.254", "sat", &one), "mint_not_trusted"),
        (token("http://127.0.0.1:1", "sat", &one), "mint_not_trusted"),
        (token(&format!("{here}/elsewhere"), "sat", &one), "mint_not_trusted"),
    ];
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
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::open(Home::at(&[(&proxy.url(), true)])).await;
    fund(&agent, 100).await;
    let exchanges = proxy.exchanges();
    let keysets = exchanges.iter().find(|exchange| exchange.path == "/v1/keysets").unwrap();
    let id = keysets.response["keysets"][0]["id"].as_str().unwrap().to_owned();
    let codes = ["token_invalid", "mint_refused", "amount_out_of_range"];
    for coins in [
        vec![coin(8, &id, "forged")],
        vec![coin(7, &id, "no power of two")],
        vec![coin(8, KEYSET, "another keyset")],
        vec![coin(u64::MAX, &id, "more than there is")],
        vec![coin(1 << 40, &id, "far too much")],
        vec![coin(8, &id, &"s".repeat(100_000))],
        vec![
            coin(8, &id, "a witness")
                .as_object()
                .map(|coin| {
                    let mut coin = coin.clone();
                    coin.insert(
                        "witness".to_owned(),
                        json!(json!({"signatures": ["f".repeat(100_000)]}).to_string()),
                    );
                    Value::Object(coin)
                })
                .unwrap(),
        ],
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
    giver.ok("get_payment", json!({"payment_id": sent["payment_id"]})).await;
    assert_eq!(sats(&giver.ok("get_balance", json!({})).await, "unclaimed_sats"), 9);
    conserved("spent and locked", &mint.auditor(), &[&giver, &taker, &late]).await;
}
