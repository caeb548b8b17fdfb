//! What `doctor` finds wrong with a wallet on relays: each of nine things, by its name.

use cdk_common::nuts::{CurrencyUnit, Token};
use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::nostr::wallet_event::{self, WalletEvent};
use nutpurse::testing::nostr::{Event, Identity, deletion, quote_event, token_event};
use nutpurse::testing::wallet::core::clock;
use serde_json::json;
use testbed::{MintOptions, Relay};

use super::by_hand::{Press, agreed, event, me, put, token};
use super::doctor::{Scene, scene};
use super::{KEY, device, sync};
use crate::world::{Agent, fund, has, mint, mint_with};

#[tokio::test]
async fn relays_that_show_different_sets_are_a_partition() {
    let scene = scene(2).await;
    scene.relays[1].rule(|rules| rules.hide_kinds = vec![7375]);
    let found = scene.found("partition").await;
    has(&found, json!({"relay": scene.relays[1].url(), "count": 1}));
    assert_eq!(scene.told().await["relays"][1]["state"], "behind");
}

#[tokio::test]
async fn a_live_event_of_spent_coins_is_a_ghost_token() {
    let scene = scene(1).await;
    let coins = Press::of(&scene.mint).bearer(4, 2).await;
    let text =
        Token::new(scene.mint.url().parse().unwrap(), coins.clone(), None, CurrencyUnit::Sat)
            .to_string();
    Agent::new([scene.mint.url()]).ok("receive_token", json!({"token": text})).await;
    put(scene.relay(), &[token(&me(), &scene.mint.url(), &coins, clock::now())]).await;
    let found = scene.found("ghost token").await;
    has(&found, json!({"count": 1, "sats": 8}));
    let told = scene.told().await;
    has(&told, json!({"on_relays_sats": 108, "checked_sats": 100}));
    scene.mended().await.is_well().await;
}

#[tokio::test]
async fn coins_that_no_live_event_holds_are_orphaned() {
    let scene = scene(1).await;
    let live = scene.relay().taken().iter().find(|event| event["kind"] == 7375).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.relay().rule(|rules| rules.hide_ids = vec![live]);
    let found = scene.found("orphaned proofs").await;
    assert_eq!(found["sats"], 100);
    // A program that deletes first and loses the rest leaves the same, and nobody here has ever
    // seen its coins.
    scene.relay().rule(|rules| (rules.hide_ids, rules.resurrect) = (Vec::new(), true));
    let lost =
        token(&me(), &scene.mint.url(), &Press::of(&scene.mint).bearer(3, 4).await, clock::now());
    let gone = deletion::write(&me(), &[lost.id().to_owned()], clock::now()).unwrap();
    put(scene.relay(), &[lost, gone]).await;
    assert_eq!(scene.found("orphaned proofs").await["sats"], 12);
    scene.relay().rule(|rules| rules.resurrect = false);
}

#[tokio::test]
async fn an_event_that_replaces_one_that_nobody_has_seen_breaks_the_chain() {
    let scene = scene(1).await;
    let coins = Press::of(&scene.mint).bearer(2, 2).await;
    let missing = "ab".repeat(32);
    let heir = |del: &str| {
        token_event::write(&me(), &scene.mint.url(), "sat", &coins, &[del.to_owned()], clock::now())
            .unwrap()
    };
    put(scene.relay(), &[heir(&missing)]).await;
    let found = scene.found("broken chain of del").await;
    has(&found, json!({"count": 1, "events": [missing]}));
    // A deletion says that it was ended on purpose.
    put(scene.relay(), &[deletion::write(&me(), &[missing], clock::now()).unwrap()]).await;
    scene.is_well().await;
}

#[tokio::test]
async fn wallet_events_with_other_keys_are_a_fork() {
    let scene = scene(2).await;
    let other = WalletEvent {
        privkeys: vec![Identity::random().unwrap().secret_hex()],
        mints: vec![scene.mint.url()],
        relays: Vec::new(),
        others: Vec::new(),
    };
    put(&scene.relays[1], &[wallet_event::write(&me(), &other, clock::now() + 60).unwrap()]).await;
    let found = scene.found("forked wallet event").await;
    assert_eq!(found["count"], 1);
    let told = scene.told().await.to_string();
    assert!(!told.contains(other.privkeys[0].reveal()), "a key is not shown");
}

#[tokio::test]
async fn an_event_that_one_relay_has_deleted_and_another_shows_is_a_deletion_not_propagated() {
    let (lightning, mint) = mint().await;
    let (well, forgetful) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let agent = device(&mint, &[well.url(), forgetful.url()], KEY);
    fund(&agent, 100).await;
    agreed(&agent).await;
    let paid = agent
        .ok("pay", json!({"to": lightning.payee("shop").invoice(10, "tea").unwrap().to_string()}))
        .await;
    assert_eq!(paid["state"], "settled");
    agreed(&agent).await;
    let home = agent.close().await;
    let scene = Scene { lightning, mint, relays: vec![well, forgetful], home };
    scene.is_well().await;
    scene.relays[1].rule(|rules| (rules.resurrect, rules.hide_kinds) = (true, vec![5]));
    let found = scene.found("deletion not propagated").await;
    has(&found, json!({"relay": scene.relays[1].url(), "count": 1}));
    assert_eq!(scene.told().await["relays"][1]["state"], "forgets_deletions");
    assert!(scene.lightning.pending().is_empty());
}

#[tokio::test]
async fn a_line_of_the_history_that_no_relay_shows_any_more_is_a_gap() {
    let scene = scene(1).await;
    scene.relay().rule(|rules| rules.hide_kinds = vec![7376]);
    assert_eq!(scene.found("gap in history").await["count"], 1);
    scene.relay().rule(|rules| rules.hide_kinds.clear());
    scene.is_well().await;
}

#[tokio::test]
async fn a_quote_that_is_paid_and_not_claimed_is_in_limbo() {
    let scene = scene(1).await;
    let press = Press::of(&scene.mint);
    let quote = press
        .ask("/v1/mint/quote/bolt11", Some(json!({"amount": 21, "unit": "sat"})))
        .await["quote"]
        .as_str()
        .unwrap()
        .to_owned();
    while press.ask(&format!("/v1/mint/quote/bolt11/{quote}"), None).await["state"] != "PAID" {
        tokio::task::yield_now().await;
    }
    let now = clock::now();
    let said = quote_event::write(
        &me(),
        &Secret::new(quote.clone()),
        None,
        &scene.mint.url(),
        now + 3_600,
        now,
    )
    .unwrap();
    put(scene.relay(), &[said]).await;
    let found = scene.found("quote in limbo").await;
    assert_eq!(found["count"], 1);
    assert!(
        !scene.told().await.to_string().contains(&quote),
        "whoever knows a quote's name may claim it"
    );
}

#[tokio::test]
async fn an_event_of_our_key_that_nobody_can_read_is_malformed() {
    let scene = scene(1).await;
    let (sealed, odd) = ("not sealed".to_owned(), me().encrypt("{\"mint\": 5}").unwrap());
    put(scene.relay(), &[event(&me(), 7375, &[], &sealed), event(&me(), 7374, &[], &odd)]).await;
    assert_eq!(scene.found("malformed event").await["count"], 2);
    let again = Agent::reopen(scene.home.clone());
    sync(&again).await;
    again.close().await;
    assert_eq!(scene.found("malformed event").await["count"], 2, "they are left as they are");
}

#[tokio::test]
async fn a_deposit_of_this_wallet_that_is_paid_and_not_claimed_is_in_limbo() {
    let (lightning, mint) =
        mint_with(MintOptions { auto_pay: None, ..MintOptions::default() }).await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    let deposit = agent.ok("deposit", json!({"amount_sats": 30})).await;
    agreed(&agent).await;
    let home = agent.close().await;
    let told = relay.taken().into_iter().find(|event| event["kind"] == 7374).unwrap();
    let quote = quote_event::read(&me(), &Event::read(&told.to_string()).unwrap()).unwrap();
    let scene = Scene { lightning, mint, relays: vec![relay], home };
    scene.is_well().await;
    scene.lightning.pay(&deposit["bolt11"].as_str().unwrap().parse().unwrap()).unwrap();
    let found = scene.found("quote in limbo").await;
    assert_eq!(
        (&found["count"], &found["sats"], found.get("events")),
        (&json!(1), &json!(30), None),
        "once, though relays were told of it"
    );
    assert!(!scene.told().await.to_string().contains(quote.quote_id.reveal()));
    let agent = Agent::reopen(scene.home.clone());
    agent.deposit_within(&deposit["deposit_id"], 30).await;
    agreed(&agent).await;
    agent.close().await;
    scene.is_well().await;
}
