//! Nutzaps from one wallet to another, and those that nobody should take.

use serde_json::{Value, json};
use testbed::{Relay, TestMint};

use super::{device, spendable, sync};
use crate::world::{Agent, Home, Settings, conserved, fund, has, mint, routes};

const OURS: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const THEIRS: &str = "2222222222222222222222222222222222222222222222222222222222222222";

async fn npub(agent: &Agent) -> String {
    agent.ok("get_balance", json!({})).await["nostr"]["npub"].as_str().unwrap().to_owned()
}

/// A sender with money and a receiver who takes nutzaps, at one mint on one relay.
async fn scene() -> (TestMint, Relay, Agent, Agent) {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let (sender, receiver) =
        (device(&mint, &[relay.url()], OURS), device(&mint, &[relay.url()], THEIRS));
    fund(&sender, 200).await;
    sync(&receiver).await;
    (mint, relay, sender, receiver)
}

/// The sender sees that its nutzap was redeemed.
async fn claimed(sender: &Agent, zapped: &Value) {
    let shown = sender.payment(&zapped["payment_id"]).await;
    assert_eq!(shown["claimed"], true, "{shown}");
}

async fn received(agent: &Agent) -> Vec<Value> {
    let history = agent.ok("list_history", json!({"kind": "nutzap_received"})).await;
    history["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_nutzap_is_redeemed_once_by_whoever_was_off_when_it_came() {
    let (mint, _relay, sender, receiver) = scene().await;
    let to = npub(&receiver).await;
    let home = receiver.close().await;
    let zapped = sender.ok("zap", json!({"to": to, "amount_sats": 21, "comment": "for the garden", "idempotency_key": "one"})).await;
    has(&zapped, json!({"via": "nutzap", "state": "settled"}));
    assert_eq!(
        (&zapped["to_npub"], &zapped["receipt"], zapped.get("token")),
        (&json!(to), &json!("none"), None),
        "{zapped}"
    );
    let again = sender.ok("zap", json!({"to": to, "amount_sats": 21, "comment": "for the garden", "idempotency_key": "one"})).await;
    has(&again, json!({"replayed": true, "payment_id": zapped["payment_id"]}));
    sender
        .refused(
            "zap",
            json!({"to": to, "amount_sats": 21, "comment": "for the garden"}),
            "possible_duplicate",
        )
        .await;
    let receiver = Agent::reopen(home);
    sync(&receiver).await;
    // Less the mint's fee for taking coins in.
    assert_eq!(spendable(&receiver).await, 20);
    let [entry] = received(&receiver).await.try_into().unwrap();
    has(&entry, json!({"amount_sats": 20, "fee_sats": 1, "untrusted_note": "for the garden"}));
    has(&entry, json!({"untrusted_payee": npub(&sender).await, "sender_proven": true}));
    claimed(&sender, &zapped).await;
    conserved("after the nutzap", &mint.auditor(), &[&sender, &receiver]).await;
    // Shown again, after a restart, nobody is asked anything about it.
    let receiver = Agent::reopen(receiver.close().await);
    sync(&receiver).await;
    routes(&mint);
    sync(&receiver).await;
    assert_eq!(
        (routes(&mint), spendable(&receiver).await, received(&receiver).await.len()),
        (vec![], 20, 1)
    );
}

#[tokio::test]
async fn an_anonymous_nutzap_is_signed_by_nobody() {
    let (mint, relay, sender, receiver) = scene().await;
    let zapped = sender
        .ok("zap", json!({"to": npub(&receiver).await, "amount_sats": 5, "anonymous": true}))
        .await;
    assert_eq!(zapped["state"], "settled", "{zapped}");
    sync(&receiver).await;
    let [entry] = received(&receiver).await.try_into().unwrap();
    assert_ne!(entry["untrusted_payee"], json!(npub(&sender).await));
    let of_sender = sender.ok("get_balance", json!({})).await["nostr"]["npub"].clone();
    let nutzaps: Vec<Value> =
        relay.taken().into_iter().filter(|event| event["kind"] == 9321).collect();
    assert!(nutzaps.len() == 1 && nutzap_author(&nutzaps[0]) != of_sender);
    // The coins name the same throw-away key.
    has(&entry, json!({"untrusted_payee": nutzap_author(&nutzaps[0]), "sender_proven": true}));
    claimed(&sender, &zapped).await;
    conserved("after an anonymous nutzap", &mint.auditor(), &[&sender, &receiver]).await;
}

fn nutzap_author(event: &Value) -> Value {
    json!(nutpurse::testing::nostr::npub(event["pubkey"].as_str().unwrap()).unwrap())
}

#[tokio::test]
async fn a_nutzap_that_no_relay_takes_is_kept_and_told_honestly() {
    let (mint, relay, sender, receiver) = scene().await;
    let to = npub(&receiver).await;
    relay.rule(|rule| rule.refuse_kind = Some(9321));
    let zapped = sender.ok("zap", json!({"to": to, "amount_sats": 8})).await;
    assert_eq!(zapped["state"], "settled", "{zapped}");
    assert!(
        zapped["next_step"]
            .as_str()
            .unwrap()
            .contains("None of the recipient's relays has accepted the nutzap yet"),
        "{zapped}"
    );
    relay.rule(|rule| rule.refuse_kind = None);
    let sender = Agent::two_minutes_later(sender.close().await);
    sync(&sender).await;
    sync(&receiver).await;
    assert_eq!(spendable(&receiver).await, 7);
    claimed(&sender, &zapped).await;
    conserved("after a late nutzap", &mint.auditor(), &[&sender, &receiver]).await;
}

#[tokio::test]
async fn a_recipient_who_takes_no_nutzap_of_our_mints_is_named_as_such() {
    let (_lightning, elsewhere) = mint().await;
    let (_mint, relay, sender, _receiver) = scene().await;
    let stranger = device(
        &elsewhere,
        &[relay.url()],
        "3333333333333333333333333333333333333333333333333333333333333333",
    );
    sync(&stranger).await;
    let to = npub(&stranger).await;
    let error = sender
        .refused("zap", json!({"to": to, "amount_sats": 5, "via": "nutzap"}), "recipient_refuses")
        .await;
    assert!(error.message.contains("none of this wallet's mints"), "{error}");
    sender.refused("zap", json!({"to": to, "amount_sats": 5}), "recipient_unknown").await;
    sender
        .refused(
            "zap",
            json!({"to": format!("npub1{}", "q".repeat(58)), "amount_sats": 5}),
            "invalid_input",
        )
        .await;
    let nsec = nutpurse::testing::nostr::Identity::from_nsec(
        &nutpurse::testing::model::secret::Secret::new(OURS),
    )
    .unwrap()
    .nsec();
    sender.refused("zap", json!({"to": nsec.reveal(), "amount_sats": 5}), "text_refused").await;
    sender
        .refused(
            "zap",
            json!({"to": to, "amount_sats": 5, "comment": nsec.reveal()}),
            "text_refused",
        )
        .await;
}

#[tokio::test]
async fn no_nutzap_is_made_at_a_mint_that_does_not_keep_locks() {
    let (_lightning, mint) = mint().await;
    for nut in ["11", "12"] {
        let proxy = testbed::Proxy::start(&mint.url()).await.unwrap();
        proxy.rewrite(move |path, mut body| {
            if path == "/v1/info" {
                body["nuts"].as_object_mut().unwrap().remove(nut);
            }
            body
        });
        let relay = Relay::start().await.unwrap();
        let home = || Home::new(&Settings::at([proxy.url()]).relays([relay.url()])).unwrap();
        let (sender, receiver) = (Agent::with_nsec(home(), OURS), Agent::with_nsec(home(), THEIRS));
        fund(&sender, 50).await;
        sync(&receiver).await;
        let to = npub(&receiver).await;
        let error = sender
            .refused(
                "zap",
                json!({"to": to, "amount_sats": 5, "via": "nutzap"}),
                "recipient_refuses",
            )
            .await;
        assert!(error.message.contains("NUT-11"), "{error}");
        assert_eq!(spendable(&sender).await, 50);
    }
}
