//! Locked tokens (NUT-11), and swaps whose answers are lost (NUT-09).

use cdk_common::nuts::SecretKey;
use serde_json::{Value, json};
use testbed::harness::Client;
use testbed::{Lightning, Moment, Proxy, Rule, TestMint};

use crate::world::{Agent, conserved, fund, funded, has, holdings, mint, sats};

fn key() -> String {
    SecretKey::generate().public_key().to_hex()
}

struct Bench {
    _lightning: Lightning,
    mint: TestMint,
    proxy: Proxy,
    giver: Agent,
    taker: Agent,
    source: Agent,
}

impl Bench {
    /// Two wallets with 500 sats each, at a mint behind a proxy.
    async fn start() -> Self {
        let (lightning, mint) = mint().await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let (giver, taker) = (Agent::new([proxy.url()]), Agent::new([proxy.url()]));
        let source = Agent::new([proxy.url()]);
        fund(&source, 400).await;
        fund(&taker, 500).await;
        // What is received lies there as 256, 128 and small coins: 21 of it takes a swap.
        let token = source.ok("send_token", json!({"amount_sats": 390})).await["token"].clone();
        giver.ok("receive_token", json!({"token": token})).await;
        Self { _lightning: lightning, mint, proxy, giver, taker, source }
    }

    /// The next swap is made, and its answer is lost.
    fn lose_a_swap(&self) -> testbed::RuleId {
        self.proxy.fail(Rule::new("POST", "/v1/swap", Moment::AfterMint))
    }

    async fn conserved(&self, what: &str) {
        for agent in [&self.giver, &self.source] {
            agent.look_at_tokens().await.unwrap();
        }
        conserved(what, &self.mint.auditor(), &[&self.giver, &self.taker, &self.source]).await;
    }

    async fn is_good_once(&self, token: &Value) {
        assert_eq!(
            self.taker.ok("receive_token", json!({"token": token})).await["state"],
            "received"
        );
        let third = Agent::new([self.proxy.url()]);
        third.refused("receive_token", json!({"token": token}), "token_spent").await;
        assert_eq!(holdings(&third).await.spendable, 0);
    }
}

#[tokio::test]
async fn a_locked_token_is_for_its_owner_alone() {
    let (_lightning, mint) = mint().await;
    let (giver, taker) = (funded(&mint, 500).await, funded(&mint, 10).await);
    let sent = giver.ok("send_token", json!({"amount_sats": 21, "lock_to": key()})).await;
    has(&sent, json!({"state": "settled", "reclaimable": false}));
    giver.refused("reclaim_token", json!({"payment_id": sent["payment_id"]}), "token_locked").await;
    taker.refused("receive_token", json!({"token": sent["token"]}), "token_locked").await;
    giver.refused("receive_token", json!({"token": sent["token"]}), "token_locked").await;
    assert_eq!(holdings(&giver).await.unclaimed, 21);
    conserved("locked", &mint.auditor(), &[&giver, &taker]).await;
    giver
        .refused("send_token", json!({"amount_sats": 21, "lock_to": "02ab"}), "invalid_input")
        .await;
    giver
        .refused(
            "send_token",
            json!({"amount_sats": 21, "lock_to": "npub1qqqqqq"}),
            "invalid_input",
        )
        .await;
}

#[tokio::test]
async fn a_locked_token_whose_swap_was_not_answered_is_there_exactly_once() {
    let bench = Bench::start().await;
    let lost = bench.lose_a_swap();
    let sent = bench.giver.ok("send_token", json!({"amount_sats": 21, "lock_to": key()})).await;
    assert_eq!((bench.proxy.fired(lost), sent["state"].as_str()), (1, Some("pending")), "{sent}");
    assert!(sent.get("token").is_none());
    let ended = bench.giver.ended(&sent["payment_id"]).await;
    has(&ended, json!({"state": "settled", "reclaimable": false}));
    assert!(ended["token"].as_str().is_some_and(|token| token.starts_with("cashuB")));
    assert_eq!(holdings(&bench.giver).await.unclaimed, 21);
    bench.conserved("a locked send recovered").await;
}

#[tokio::test]
async fn a_token_whose_swap_was_not_answered_is_good_exactly_once() {
    let bench = Bench::start().await;
    let lost = bench.lose_a_swap();
    let sent =
        bench.giver.ok("send_token", json!({"amount_sats": 21, "idempotency_key": "k"})).await;
    assert_eq!((bench.proxy.fired(lost), sent["state"].as_str()), (1, Some("pending")), "{sent}");
    let ended = bench.giver.ended(&sent["payment_id"]).await;
    let replay =
        bench.giver.ok("send_token", json!({"amount_sats": 21, "idempotency_key": "k"})).await;
    assert_eq!(replay["token"], ended["token"]);
    bench.conserved("a send recovered").await;
    bench.is_good_once(&ended["token"]).await;
    bench.conserved("a recovered send claimed").await;
}

#[tokio::test]
async fn a_receipt_whose_swap_was_not_answered_is_recovered() {
    let bench = Bench::start().await;
    let token = bench.giver.ok("send_token", json!({"amount_sats": 21})).await["token"].clone();
    let lost = bench.lose_a_swap();
    let received = bench.taker.ok("receive_token", json!({"token": token})).await;
    assert_eq!(
        (bench.proxy.fired(lost), received["state"].as_str()),
        (1, Some("pending")),
        "{received}"
    );
    let ended = bench.taker.ended(&received["receive_id"]).await;
    assert_eq!(ended["state"], "received", "{ended}");
    assert_eq!(holdings(&bench.taker).await.spendable, 500 + sats(&ended, "received_sats"));
    let again = bench.taker.ok("receive_token", json!({"token": token})).await;
    has(&again, json!({"replayed": true, "receive_id": received["receive_id"]}));
    bench.conserved("a receipt recovered").await;
}

#[tokio::test]
async fn a_token_taken_back_without_an_answer_is_pending_until_it_is_back() {
    let bench = Bench::start().await;
    let sent = bench.giver.ok("send_token", json!({"amount_sats": 21})).await;
    let lost = bench.lose_a_swap();
    let back = bench.giver.ok("reclaim_token", json!({"payment_id": sent["payment_id"]})).await;
    assert_eq!((bench.proxy.fired(lost), back["state"].as_str()), (1, Some("pending")), "{back}");
    assert!(back.get("token").is_none(), "it may be worth nothing: {back}");
    let ended = bench.giver.ended(&sent["payment_id"]).await;
    assert_eq!(ended["state"], "returned", "{ended}");
    bench.taker.refused("receive_token", json!({"token": sent["token"]}), "token_spent").await;
    assert_eq!(holdings(&bench.giver).await.unclaimed, 0);
    bench.conserved("taken back").await;
}

#[tokio::test]
async fn a_swap_that_never_reached_the_mint_is_made_later() {
    let bench = Bench::start().await;
    bench.proxy.fail(Rule::new("POST", "/v1/swap", Moment::BeforeRequest));
    let sent = bench.giver.ok("send_token", json!({"amount_sats": 21})).await;
    let ended = bench.giver.ended(&sent["payment_id"]).await;
    assert_eq!(ended["state"], "settled", "{ended}");
    bench.is_good_once(&ended["token"]).await;
    bench.conserved("made later").await;
}

#[tokio::test]
async fn a_rotated_keyset_stops_no_verb_for_good() {
    let (lightning, mint) = mint().await;
    let (agent, giver) = (funded(&mint, 500).await, funded(&mint, 500).await);
    let token = giver.ok("send_token", json!({"amount_sats": 21})).await;
    for verb in ["send", "pay", "reclaim", "receive", "deposit"] {
        mint.rotate_keyset(100).await.unwrap();
        let call = || async {
            match verb {
                "send" => agent.call("send_token", json!({"amount_sats": 33})).await,
                "pay" => agent
                    .call(
                        "pay",
                        json!({"to": lightning.payee("shop").invoice(5, "x").unwrap().to_string()}),
                    )
                    .await,
                "reclaim" => {
                    giver.call("reclaim_token", json!({"payment_id": token["payment_id"]})).await
                }
                "receive" => {
                    let token = giver
                        .ok("send_token", json!({"amount_sats": 17, "memo": "for you"}))
                        .await["token"]
                        .clone();
                    agent.call("receive_token", json!({"token": token})).await
                }
                _ => {
                    fund(&agent, 10).await;
                    Ok(Value::Null)
                }
            }
        };
        if let Err(first) = call().await {
            println!("{verb} after a rotation: {first}");
            let second = call().await;
            assert!(second.is_ok(), "{verb}: {second:?}");
        }
    }
    giver.look_at_tokens().await.unwrap();
    conserved("rotated", &mint.auditor(), &[&agent, &giver]).await;
}
