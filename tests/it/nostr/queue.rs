//! What waits for relays, and what deletions cost: nothing is offered without end, and no relay's
//! trouble becomes another's.

use std::time::{Duration, Instant};

use nutpurse::testing::nostr::{UnsignedEvent, deletion};
use nutpurse::testing::store::Store;
use nutpurse::testing::wallet::core::clock;
use redb::{Database, TableDefinition};
use serde_json::{Value, json};
use testbed::{Lightning, Payee, Relay, TestMint};

use super::by_hand::{
    Press, agreed, me, never_hidden, new_device_sees_all, nothing_waits, put, token,
};
use super::doctor::doctor;
use super::trouble::relay_of;
use super::{KEY, device, sync};
use crate::world::{Agent, Home, Settings, fund, mint, number};

/// A device with money on some relays.
struct Scene {
    _lightning: Lightning,
    mint: TestMint,
    relays: Vec<Relay>,
    agent: Agent,
    shop: Payee,
}

impl Scene {
    async fn on(count: usize) -> Self {
        let (lightning, mint) = mint().await;
        let mut relays = Vec::new();
        for _ in 0..count {
            relays.push(Relay::start().await.unwrap());
        }
        let urls: Vec<&str> = relays.iter().map(Relay::url).collect();
        let agent = device(&mint, &urls, KEY);
        fund(&agent, 500).await;
        sync(&agent).await;
        let shop = lightning.payee("shop");
        Self { _lightning: lightning, mint, relays, agent, shop }
    }

    async fn pay(&self, sats: u64) {
        let to = self.shop.invoice(sats, "tea").unwrap().to_string();
        assert_eq!(self.agent.ok("pay", json!({"to": to})).await["state"], "settled");
    }
}

fn of_kind(relay: &Relay, kind: u64) -> usize {
    relay.taken().iter().filter(|event| event["kind"] == kind).count()
}

/// How many events of this kind a relay was offered.
fn offered(relay: &Relay, kind: u64) -> usize {
    let heard = relay.heard();
    let messages = heard
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    messages.filter(|message| message[0] == "EVENT" && message[1]["kind"] == kind).count()
}

/// What waits in a wallet that is closed, by kind.
async fn waiting(home: &Home) -> Vec<u16> {
    let store = Store::open(home.path().join("wallet.redb"), || 1_800_000_000).await.unwrap();
    let kinds = store.outbox().await.unwrap().into_iter().map(|one| one.event.kind).collect();
    store.close().await;
    kinds
}

#[tokio::test]
async fn a_relay_that_forgets_deletions_fills_no_other() {
    let scene = Scene::on(2).await;
    let [good, bad] = scene.relays.as_slice() else { panic!() };
    bad.rule(|rule| rule.forget_kind = Some(5));
    for sats in [3, 4, 5] {
        scene.pay(sats).await;
        sync(&scene.agent).await;
    }
    let at_good = of_kind(good, 5);
    let mut told = Value::Null;
    for _ in 0..4 {
        told = sync(&scene.agent).await;
    }
    assert_eq!(of_kind(good, 5), at_good, "the same deletions, and only where they are lacking");
    assert!(told["relays"][1]["note"].as_str().unwrap().contains("forgets deletions"), "{told}");
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 0), relay_of(&told, 1)),
        (Some("synced"), ("synced", 0), ("synced", 0)),
        "{told}"
    );
    let before = offered(bad, 5);
    sync(&scene.agent).await;
    assert_eq!(offered(bad, 5), before, "it is left alone for a day");
    // A day later it keeps them.
    bad.rule(|rule| rule.forget_kind = None);
    let agent = Agent::a_day_later(scene.agent.close().await);
    let told = agreed(&agent).await;
    let told = if told["relays"][1].get("note").is_some() { sync(&agent).await } else { told };
    assert!(told["relays"][1].get("note").is_none() && of_kind(bad, 5) > 0, "{told}");
    never_hidden(bad, &scene.mint);
    assert_eq!(of_kind(good, 5), at_good);
    nothing_waits(agent).await;
}

#[tokio::test]
async fn ten_thousand_deletions_are_read_once() {
    let count = number("NUTPURSE_EVENTS").unwrap_or(10_000);
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let who = me();
    let first = clock::now() - 1_000_000;
    // Together they are more than is read at once.
    let ids: Vec<String> = (0..22).map(|n| format!("{n:064x}")).collect();
    let gone: Vec<_> =
        (0..count).map(|n| deletion::write(&who, &ids, first + n).unwrap()).collect();
    put(&relay, &gone).await;
    let agent = device(&mint, &[relay.url()], KEY);
    fund(&agent, 100).await;
    let mut states = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let told = sync(&agent).await;
        println!("{count} deletions: {:?}, {}", begun.elapsed(), told["relays"][0]["state"]);
        states.push(told["relays"][0]["state"].clone());
    }
    assert_eq!(states[2], "synced", "{states:?}");
    let told = doctor(&agent.close().await, &["doctor", "--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["nostr"]["relays"][0]["state"], "synced", "{told}");
}

#[tokio::test]
async fn what_enough_relays_have_waits_for_no_other() {
    let scene = Scene::on(3).await;
    let away = &scene.relays[2];
    away.go_down().await.unwrap();
    for sats in [3, 4, 5] {
        scene.pay(sats).await;
        sync(&scene.agent).await;
    }
    let told = sync(&scene.agent).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 2).0),
        (Some("partial"), "unreachable"),
        "{told}"
    );
    assert!(relay_of(&told, 2).1 > 0, "{told}");
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert_eq!(balance["nostr"]["unpublished"], 0, "{balance}");
    let home = scene.agent.close().await;
    assert_eq!(waiting(&home).await, Vec::<u16>::new());
    away.come_up().await.unwrap();
    let agent = Agent::two_minutes_later(home);
    agreed(&agent).await;
    never_hidden(away, &scene.mint);
    new_device_sees_all(&scene.mint, &[away.url()]).await;
    assert_eq!(super::by_hand::live(away).len(), super::by_hand::live(&scene.relays[0]).len());
    nothing_waits(agent).await;
}

#[tokio::test]
async fn what_changed_while_all_relays_were_away_is_told_in_few_events() {
    let scene = Scene::on(1).await;
    scene.relays[0].go_down().await.unwrap();
    for sats in 1..9 {
        scene.pay(sats).await;
        sync(&scene.agent).await;
    }
    let home = scene.agent.close().await;
    let kinds = waiting(&home).await;
    let coins = kinds.iter().filter(|kind| [5, 7375].contains(*kind)).count();
    assert!(coins <= 4, "{kinds:?}");
    scene.relays[0].come_up().await.unwrap();
    let agent = Agent::two_minutes_later(home);
    agreed(&agent).await;
    never_hidden(&scene.relays[0], &scene.mint);
    new_device_sees_all(&scene.mint, &[scene.relays[0].url()]).await;
    nothing_waits(agent).await;
}

#[tokio::test]
async fn a_relay_that_refuses_all_is_offered_one_event_a_sync_and_takes_the_rest_once_it_takes_that()
 {
    let scene = Scene::on(2).await;
    let strict = &scene.relays[1];
    strict.rule(|rule| rule.refuse_with = Some("blocked: who pays here?".to_owned()));
    // Coins that need many events.
    let coins = Press::of(&scene.mint).bearer(30, 1).await;
    let events: Vec<_> = coins
        .chunks(3)
        .map(|some| token(&me(), &scene.mint.url(), some, clock::now() - 9))
        .collect();
    put(&scene.relays[0], &events).await;
    sync(&scene.agent).await;
    sync(&scene.agent).await;
    let before = offered(strict, 7375);
    let told = sync(&scene.agent).await;
    // News may have brought about another sync meanwhile.
    assert!((1..=3).contains(&(offered(strict, 7375) - before)), "one of ten in each sync: {told}");
    let relay = &told["relays"][1];
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 1).0),
        (Some("partial"), "behind"),
        "{told}"
    );
    assert!(
        relay_of(&told, 1).1 >= 10 && relay["note"].as_str().unwrap().contains("refuses"),
        "{told}"
    );
    assert_eq!(relay["untrusted_reason"], "blocked: who pays here?");
    let home = scene.agent.close().await;
    assert_eq!(waiting(&home).await, Vec::<u16>::new());
    strict.rule(|rule| rule.refuse_with = None);
    let agent = Agent::reopen(home);
    let told = agreed(&agent).await;
    assert!(told["relays"][1].get("note").is_none(), "{told}");
    new_device_sees_all(&scene.mint, &[strict.url()]).await;
    nothing_waits(agent).await;
}

#[tokio::test]
async fn a_deletion_goes_only_where_what_replaces_the_coins_is() {
    let scene = Scene::on(2).await;
    let lacks = &scene.relays[1];
    lacks.rule(|rule| rule.refuse_kind = Some(7375));
    for sats in [3, 4, 5] {
        scene.pay(sats).await;
        sync(&scene.agent).await;
    }
    assert!(of_kind(&scene.relays[0], 5) >= 3);
    assert_eq!(offered(lacks, 5), 0);
    never_hidden(lacks, &scene.mint);
    lacks.rule(|rule| rule.refuse_kind = None);
    agreed(&scene.agent).await;
    assert!(of_kind(lacks, 5) > 0);
    never_hidden(lacks, &scene.mint);
    new_device_sees_all(&scene.mint, &[lacks.url()]).await;
    nothing_waits(scene.agent).await;
}

#[tokio::test]
async fn a_relay_that_another_program_adds_to_the_list_is_listened_to() {
    let (_lightning, mint) = mint().await;
    let (ours, added) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let home =
        Home::new(&Settings::at([mint.url()]).relays([ours.url()]).allow([added.url()])).unwrap();
    let agent = Agent::with_nsec(home, KEY);
    agreed(&agent).await;
    let info = ours.taken().into_iter().rfind(|event| event["kind"] == 10_019).unwrap();
    let mut tags: Vec<Vec<String>> = serde_json::from_value(info["tags"].clone()).unwrap();
    tags.push(vec!["relay".to_owned(), added.url().to_owned()]);
    let created_at = info["created_at"].as_u64().unwrap() + 1;
    put(
        &ours,
        &[me()
            .sign(UnsignedEvent { kind: 10_019, created_at, tags, content: String::new() })
            .unwrap()],
    )
    .await;
    sync(&agent).await;
    // One connection asks, the other listens.
    let listened = async {
        while added.connections() < 2 {
            agent.ok("get_balance", json!({})).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), listened).await.unwrap();
}

#[tokio::test]
async fn a_balance_reads_no_queue() {
    let scene = Scene::on(1).await;
    let home = scene.agent.close().await;
    {
        let file = Database::open(home.path().join("wallet.redb")).unwrap();
        let tx = file.begin_write().unwrap();
        // A row that nobody can read.
        tx.open_table(TableDefinition::<(u8, u64), &[u8]>::new("nostr_outbox"))
            .unwrap()
            .insert((4, 1), &[9_u8][..])
            .unwrap();
        tx.commit().unwrap();
    }
    let agent = Agent::reopen(home);
    let balance = agent.ok("get_balance", json!({})).await;
    assert_eq!(
        (&balance["spendable_sats"], &balance["nostr"]["unpublished"]),
        (&json!(500), &json!(1)),
        "{balance}"
    );
    let to = scene.shop.invoice(3, "tea").unwrap().to_string();
    assert_eq!(agent.ok("pay", json!({"to": to})).await["state"], "settled");
    agent.ok("list_history", json!({})).await;
}
