//! Relays that refuse, forget, lie, are slow or away. Judged by two things: a device that was never
//! there sees what the mint owes, and the queue empties once a relay is well. Meanwhile `sync` says
//! how it stands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cdk_common::nuts::{CurrencyUnit, Token};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{Lightning, Payee, Relay, TestMint};

use super::by_hand::{
    Press, agreed, me, never_hidden, new_device_sees_all, nothing_waits, put, token,
};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Child, fund, mint};

/// A device with money on one relay, and a shop.
pub(super) struct Scene {
    lightning: Lightning,
    pub(super) mint: TestMint,
    pub(super) relay: Relay,
    pub(super) agent: Agent,
    pub(super) shop: Payee,
}

pub(super) async fn scene(sats: u64) -> Scene {
    let (lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    fund(&agent, sats).await;
    let shop = lightning.payee("shop");
    Scene { lightning, mint, relay, agent, shop }
}

impl Scene {
    pub(super) async fn pay(&self, sats: u64) {
        let paid = self
            .agent
            .ok("pay", json!({"to": self.shop.invoice(sats, "tea").unwrap().to_string()}))
            .await;
        assert_eq!(paid["state"], "settled", "{paid}");
    }

    /// The end of every trouble: all agree, a new device sees all, nothing waits.
    pub(super) async fn ends_well(self) {
        agreed(&self.agent).await;
        let owed = self.mint.auditor().outstanding().unwrap();
        assert_eq!(spendable(&self.agent).await, owed);
        new_device_sees_all(&self.mint, &[self.relay.url()]).await;
        assert_eq!(spendable(&self.agent).await, owed);
        nothing_waits(self.agent).await;
        assert!(self.lightning.pending().is_empty());
    }
}

fn of_kind(relay: &Relay, kind: u64) -> Vec<Value> {
    relay.taken().into_iter().filter(|event| event["kind"] == kind).collect()
}

pub(super) fn relay_of(told: &Value, place: usize) -> (&str, u64) {
    let relay = &told["relays"][place];
    (relay["state"].as_str().unwrap(), relay["unpublished"].as_u64().unwrap())
}

#[tokio::test]
async fn a_relay_that_takes_small_events_alone_gets_small_ones_before_it_deletes() {
    let scene = scene(1000).await;
    sync(&scene.agent).await;
    let before = of_kind(&scene.relay, 7375).len();
    scene.relay.rule(|rule| rule.refuse_longer_than = Some(2_000));
    for sats in [3, 40, 111] {
        scene.pay(sats).await;
    }
    agreed(&scene.agent).await;
    let since = of_kind(&scene.relay, 7375).split_off(before);
    println!("{} events of at most 2000 bytes", since.len());
    assert!(since.len() > 2 && since.iter().all(|event| event.to_string().len() <= 2_000));
    assert!(never_hidden(&scene.relay, &scene.mint) > 0);
    scene.ends_well().await;
}

#[tokio::test]
async fn a_relay_that_takes_no_event_of_even_one_coin_is_owed_them_until_it_does() {
    let scene = scene(100).await;
    sync(&scene.agent).await;
    scene.relay.rule(|rule| rule.refuse_longer_than = Some(700));
    scene.pay(9).await;
    let mut told = sync(&scene.agent).await;
    for _ in 0..3 {
        told = sync(&scene.agent).await;
    }
    assert!(told["state"] == "partial" && relay_of(&told, 0).1 > 0, "{told}");
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert!(balance["nostr"]["unpublished"].as_u64().unwrap() > 0, "{balance}");
    // What it had of the good coins before, it has still.
    never_hidden(&scene.relay, &scene.mint);
    scene.relay.rule(|rule| rule.refuse_longer_than = None);
    scene.ends_well().await;
}

#[tokio::test]
async fn what_replaces_an_event_says_so_only_once_all_of_it_is_there() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    // Sixty good coins and a spent one in an event: its two successors are one that is full and one
    // that is short.
    let coins = Press::of(&mint).bearer(61, 2).await;
    let text =
        Token::new(mint.url().parse().unwrap(), coins[60..].to_vec(), None, CurrencyUnit::Sat)
            .to_string();
    let taker = Agent::new([mint.url()]);
    taker.ok("receive_token", json!({"token": text})).await;
    put(&relay, &[token(&me(), &mint.url(), &coins, clock::now() - 9)]).await;
    let agent = device(&mint, &[relay.url()], KEY);
    // The short one fits, the full one does not.
    relay.rule(|rule| rule.refuse_longer_than = Some(20_000));
    agreed(&agent).await;
    assert_eq!(spendable(&agent).await, 120);
    println!("{} events", never_hidden(&relay, &mint));
    let fresh = device(&mint, &[relay.url()], KEY);
    sync(&fresh).await;
    assert_eq!(spendable(&fresh).await, 120);
    nothing_waits(agent).await;
}

#[tokio::test]
async fn a_relay_that_takes_small_events_alone_is_named_where_another_has_them_whole() {
    let (_lightning, mint) = mint().await;
    let (one, two) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let agent = device(&mint, &[one.url(), two.url()], KEY);
    two.rule(|rule| rule.refuse_longer_than = Some(2_000));
    fund(&agent, 1000).await;
    sync(&agent).await;
    let told = sync(&agent).await;
    let told_again = sync(&agent).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 1).0),
        (Some("partial"), "behind"),
        "{told}"
    );
    assert_eq!(told, told_again);
    two.rule(|rule| rule.refuse_longer_than = None);
    agreed(&agent).await;
    new_device_sees_all(&mint, &[two.url()]).await;
    nothing_waits(agent).await;
}

#[tokio::test]
async fn a_relay_that_deletes_nothing_hides_nothing_and_deletes_it_later() {
    let scene = scene(200).await;
    sync(&scene.agent).await;
    scene.relay.rule(|rule| rule.refuse_kind = Some(5));
    for sats in [5, 6, 7] {
        scene.pay(sats).await;
        sync(&scene.agent).await;
    }
    let told = sync(&scene.agent).await;
    assert!(told["state"] == "partial" && relay_of(&told, 0).1 > 0, "{told}");
    assert!(of_kind(&scene.relay, 5).is_empty());
    new_device_sees_all(&scene.mint, &[scene.relay.url()]).await;
    scene.relay.rule(|rule| rule.refuse_kind = None);
    agreed(&scene.agent).await;
    assert!(!of_kind(&scene.relay, 5).is_empty());
    never_hidden(&scene.relay, &scene.mint);
    scene.ends_well().await;
}

#[tokio::test]
async fn what_a_relay_has_forgotten_is_brought_back_to_it() {
    let scene = scene(200).await;
    scene.relay.rule(|rule| rule.forget = true);
    scene.pay(12).await;
    let told = sync(&scene.agent).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 0).0),
        (Some("partial"), "behind"),
        "{told}"
    );
    scene.pay(13).await;
    let told = sync(&scene.agent).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 0).0),
        (Some("partial"), "behind"),
        "{told}"
    );
    assert!(scene.relay.taken().is_empty());
    scene.relay.rule(|rule| rule.forget = false);
    agreed(&scene.agent).await;
    for kind in [17_375, 10_019] {
        assert_eq!(of_kind(&scene.relay, kind).len(), 1, "kind {kind}");
    }
    scene.ends_well().await;
}

#[tokio::test]
async fn one_relay_that_has_forgotten_gets_it_back_while_another_is_away() {
    let (_lightning, mint) = mint().await;
    let (one, two) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let agent = device(&mint, &[one.url(), two.url()], KEY);
    two.go_down().await.unwrap();
    one.rule(|rule| rule.forget = true);
    fund(&agent, 100).await;
    sync(&agent).await;
    one.rule(|rule| rule.forget = false);
    let told = sync(&agent).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 1).0),
        (Some("partial"), "unreachable"),
        "{told}"
    );
    assert!(relay_of(&told, 1).1 > 0);
    new_device_sees_all(&mint, &[one.url()]).await;
    two.come_up().await.unwrap();
    agreed(&agent).await;
    new_device_sees_all(&mint, &[two.url()]).await;
    nothing_waits(agent).await;
}

#[tokio::test]
async fn a_relay_that_answers_late_costs_a_payment_nothing() {
    let scene = scene(200).await;
    scene.relay.rule(|rule| rule.delay = Duration::from_millis(60));
    let begun = Instant::now();
    for sats in [5, 6, 7] {
        scene.pay(sats).await;
    }
    let paying = begun.elapsed();
    let begun = Instant::now();
    let told = sync(&scene.agent).await;
    println!(
        "three payments {paying:?}; sync {:?} with {} messages",
        begun.elapsed(),
        scene.relay.frames()
    );
    assert_eq!(told["state"], "synced", "{told}");
    scene.relay.rule(|rule| rule.delay = Duration::ZERO);
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_payments_and_a_crash_while_all_relays_are_down_are_told_later() {
    let scene = scene(2_000).await;
    sync(&scene.agent).await;
    scene.relay.go_down().await.unwrap();
    let Scene { mint, relay, agent, shop, .. } = scene;
    let home = agent.close().await;
    let mut child = Some(Child::alone(&home).await);
    let begun = Instant::now();
    for n in 0..20_u64 {
        if child.is_none() {
            child = Some(Child::alone(&home).await);
        }
        let to = shop.invoice(n + 1, &format!("{n}")).unwrap().to_string();
        let running = child.as_ref().unwrap();
        let answer = if n == 11 {
            let killer = running.killer();
            let (answer, ()) = tokio::join!(running.call("pay", json!({"to": to})), async {
                tokio::time::sleep(Duration::from_millis(15)).await;
                killer();
            });
            child.take().unwrap().gone().await;
            answer.unwrap_or_default()
        } else {
            running.call("pay", json!({"to": to})).await.unwrap()
        };
        assert!(n == 11 || answer["state"] == "settled", "{n}: {answer}");
    }
    let running = child.take().unwrap();
    let told = running.call("sync", json!({})).await.unwrap();
    assert_eq!(told["state"], "offline", "{told}");
    assert!(told["relays"][0]["unpublished"].as_u64().unwrap() > 0, "{told}");
    println!("20 payments, a crash: {:?}; {told}", begun.elapsed());
    running.killer()();
    running.gone().await;
    relay.come_up().await.unwrap();
    let agent = Agent::two_minutes_later(Arc::clone(&home));
    agent.wallet().await;
    let payments = agent.ok("list_history", json!({"kind": "payment", "limit": 500})).await;
    for entry in
        payments["entries"].as_array().unwrap().iter().filter(|entry| entry["state"] == "pending")
    {
        agent.ended(&entry["payment_id"]).await;
    }
    agreed(&agent).await;
    assert_eq!(spendable(&agent).await, mint.auditor().outstanding().unwrap());
    new_device_sees_all(&mint, &[relay.url()]).await;
    never_hidden(&relay, &mint);
    nothing_waits(agent).await;
}

#[tokio::test]
async fn with_two_of_three_relays_down_nothing_is_deleted_anywhere() {
    let (lightning, mint) = mint().await;
    let relays = [
        Relay::start().await.unwrap(),
        Relay::start().await.unwrap(),
        Relay::start().await.unwrap(),
    ];
    let urls: Vec<&str> = relays.iter().map(Relay::url).collect();
    let agent = device(&mint, &urls, KEY);
    fund(&agent, 200).await;
    assert_eq!(sync(&agent).await["state"], "synced");
    relays[1].go_down().await.unwrap();
    relays[2].go_down().await.unwrap();
    let shop = lightning.payee("shop");
    for sats in [11, 12, 13] {
        agent.ok("pay", json!({"to": shop.invoice(sats, "tea").unwrap().to_string()})).await;
        sync(&agent).await;
    }
    let told = sync(&agent).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 0).0, relay_of(&told, 1).0),
        (Some("partial"), "synced", "unreachable"),
        "{told}"
    );
    assert!(relay_of(&told, 1).1 > 0 && relay_of(&told, 2).1 > 0, "{told}");
    // The deposit's own event may have been told, and deleted, before.
    let of_coins = of_kind(&relays[0], 5)
        .into_iter()
        .filter(|event| event["tags"].to_string().contains("7375"));
    assert_eq!(of_coins.count(), 0, "a deletion went although too few have what replaces it");
    new_device_sees_all(&mint, &[relays[0].url()]).await;
    relays[1].come_up().await.unwrap();
    relays[2].come_up().await.unwrap();
    agreed(&agent).await;
    for relay in &relays {
        assert!(!of_kind(relay, 5).is_empty());
        never_hidden(relay, &mint);
        new_device_sees_all(&mint, &[relay.url()]).await;
    }
    nothing_waits(agent).await;
}

#[tokio::test]
async fn a_relay_that_wants_to_know_who_we_are_is_told_and_one_that_is_never_satisfied_is_named() {
    let scene = scene(200).await;
    scene.relay.rule(|rule| rule.demand_name = true);
    scene.pay(10).await;
    let told = agreed(&scene.agent).await;
    assert_eq!(relay_of(&told, 0), ("synced", 0), "{told}");
    assert!(
        scene.relay.named().iter().all(|name| *name == me().public_key())
            && !scene.relay.named().is_empty()
    );
    scene.relay.rule(|rule| rule.never_satisfied = true);
    scene.pay(11).await;
    let told = sync(&scene.agent).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 0).0),
        (Some("partial"), "partial"),
        "{told}"
    );
    assert!(relay_of(&told, 0).1 > 0, "{told}");
    scene.relay.rule(|rule| (rule.demand_name, rule.never_satisfied) = (false, false));
    scene.ends_well().await;
}
