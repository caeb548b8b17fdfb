//! What waits for relays, and what deletions cost: nothing is offered without end, and no relay's
//! trouble becomes another's.

use std::time::{Duration, Instant};

use nutpurse::nostr::{Draft, deletion, token_event};
use nutpurse::store::Store;
use nutpurse::wallet::clock;
use redb::{Database, TableDefinition};
use serde_json::{Value, json};
use testbed::{Lightning, Payee, Relay, TestMint};

use super::by_hand::{
    Press, agreed, delete, me, never_hidden, new_device_sees_all, nothing_waits, put, token,
};
use super::doctor::doctor;
use super::trouble::{self, relay_of, scene};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Home, fund, mint, number};

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
    store.shut().await;
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
    let agent = Agent::reopen(home).await;
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
async fn coins_that_no_relay_shows_any_more_are_asked_about_before_they_are_brought_back() {
    let scene = scene(50).await;
    sync(&scene.agent).await;
    let coins = Press::of(&scene.mint).bearer(4, 8).await;
    let (spent, good) = coins.split_at(2);
    let told = [
        token(&me(), &scene.mint.url(), spent, clock::now() - 9),
        token(&me(), &scene.mint.url(), good, clock::now() - 8),
    ];
    put(&scene.relay, &told).await;
    sync(&scene.agent).await;
    assert_eq!(spendable(&scene.agent).await, 50 + 32);
    // Another program spends two and deletes their event without a trace; the other event is lost.
    spend(&scene.mint, spent).await;
    let ids = [told[0].id().to_owned(), told[1].id().to_owned()];
    scene.relay.rule(|rule| rule.hide_ids = ids.to_vec());
    let before = scene.relay.heard().len();
    let said = sync(&scene.agent).await;
    assert_eq!(
        (&said["dropped_sats"], spendable(&scene.agent).await),
        (&json!(16), 50 + 16),
        "{said}"
    );
    let heard = String::from_utf8(scene.relay.heard().split_off(before)).unwrap();
    let offered = |id: &str| {
        heard.lines().any(|line| {
            line.starts_with("[\"EVENT\"") && line.contains(&format!("\"id\":\"{id}\""))
        })
    };
    assert!(
        !offered(&ids[0]) && offered(&ids[1]),
        "what is good is brought back, what is spent is not"
    );
}

#[tokio::test]
async fn coins_of_another_device_are_asked_about_again_after_a_day() {
    let scene = scene(50).await;
    let coins = Press::of(&scene.mint).bearer(2, 8).await;
    put(&scene.relay, &[token(&me(), &scene.mint.url(), &coins, clock::now() - 9)]).await;
    sync(&scene.agent).await;
    spend(&scene.mint, &coins).await;
    let said = sync(&scene.agent).await;
    assert_eq!((&said["dropped_sats"], spendable(&scene.agent).await), (&json!(0), 66), "{said}");
    let agent = Agent::a_day_later(scene.agent.close().await);
    let said = sync(&agent).await;
    assert_eq!((&said["dropped_sats"], spendable(&agent).await), (&json!(16), 50), "{said}");
}

/// A wallet of 66 sats, and two coins beside them, together 16, that another program has perhaps
/// handed out.
async fn with_coins_left_out() -> (trouble::Scene, Vec<cdk_common::nuts::Proof>) {
    let scene = scene(50).await;
    sync(&scene.agent).await;
    let coins = Press::of(&scene.mint).bearer(4, 8).await;
    let (handed_out, kept) = coins.split_at(2);
    let whole = token(&me(), &scene.mint.url(), &coins, clock::now() - 9);
    put(&scene.relay, std::slice::from_ref(&whole)).await;
    sync(&scene.agent).await;
    assert_eq!(spendable(&scene.agent).await, 50 + 32);
    let gone = [whole.id().to_owned()];
    let rest =
        token_event::write(&me(), &scene.mint.url(), "sat", kept, &gone, clock::now()).unwrap();
    put(&scene.relay, &[rest, delete(&gone)]).await;
    sync(&scene.agent).await;
    (scene, handed_out.to_vec())
}

#[tokio::test]
async fn coins_that_another_program_has_perhaps_handed_out_are_the_last_to_be_claimed() {
    let (scene, handed_out) = with_coins_left_out().await;
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert_eq!(
        (&balance["spendable_sats"], &balance["perhaps_handed_out_sats"]),
        (&json!(66), &json!(16)),
        "{balance}"
    );
    // They are not put on relays again, and whoever was handed them can take them.
    sync(&scene.agent).await;
    let shown = super::by_hand::live(&scene.relay).len();
    scene.pay(55).await;
    spend(&scene.mint, &handed_out[..1]).await;
    println!("{shown} live events");
    // Nothing else is left: the one that nobody took is claimed.
    let balance = scene.agent.ok("get_balance", json!({})).await;
    let left = balance["spendable_sats"].as_u64().unwrap();
    assert!(left < 12, "{balance}");
    scene.pay(left).await;
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert!(balance.get("perhaps_handed_out_sats").is_none(), "{balance}");
}

#[tokio::test]
async fn coins_that_are_left_out_count_nowhere_and_whoever_lacks_them_is_told() {
    let (scene, _) = with_coins_left_out().await;
    let mints = scene.agent.ok("list_mints", json!({})).await;
    let mint = &mints["mints"][0];
    assert_eq!(
        (&mint["spendable_sats"], &mint["perhaps_handed_out_sats"]),
        (&json!(66), &json!(16)),
        "{mints}"
    );
    let invoice = scene.shop.invoice(75, "dinner").unwrap().to_string();
    let estimate = scene.agent.ok("estimate", json!({"to": invoice})).await;
    assert_eq!(estimate["code"], "insufficient_funds", "{estimate}");
    for (tool, arguments) in
        [("pay", json!({"to": invoice})), ("send_token", json!({"amount_sats": 75}))]
    {
        let error = scene.agent.refused(tool, arguments, "insufficient_funds").await;
        let told = (&error.details["spendable_sats"], &error.details["perhaps_handed_out_sats"]);
        assert_eq!(told, (&json!(66), &json!(16)), "{tool}: {error} {:?}", error.details);
        assert!(error.message.contains("perhaps handed out"), "{tool}: {error}");
    }
    let sent = scene.agent.ok("send_token", json!({"amount_sats": 20})).await;
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert_eq!(sent["balance_sats"], balance["spendable_sats"], "{sent} {balance}");
    // Where nothing is left out, nothing is said of it.
    let error = trouble::scene(5)
        .await
        .agent
        .refused("send_token", json!({"amount_sats": 75}), "insufficient_funds")
        .await;
    assert!(
        !error.details.contains_key("perhaps_handed_out_sats")
            && !error.message.contains("handed out"),
        "{error}"
    );
}

/// Another program takes these coins.
pub(super) async fn spend(mint: &TestMint, coins: &[cdk_common::nuts::Proof]) {
    let text = cdk_common::nuts::Token::new(
        mint.url().parse().unwrap(),
        coins.to_vec(),
        None,
        cdk_common::nuts::CurrencyUnit::Sat,
    );
    let taker = Agent::open(Home::at(&[(&mint.url(), true)])).await;
    taker.ok("receive_token", json!({"token": text.to_string()})).await;
}

#[tokio::test]
async fn a_relay_that_another_program_adds_to_the_list_is_listened_to() {
    let (_lightning, mint) = mint().await;
    let (ours, added) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let home = Home::with_relays(&[(&mint.url(), true)], &[ours.url()], &[added.url()], "");
    let agent = Agent::with_nsec(home, KEY);
    agreed(&agent).await;
    let info = ours.taken().into_iter().rfind(|event| event["kind"] == 10_019).unwrap();
    let mut tags: Vec<Vec<String>> = serde_json::from_value(info["tags"].clone()).unwrap();
    tags.push(vec!["relay".to_owned(), added.url().to_owned()]);
    let created_at = info["created_at"].as_u64().unwrap() + 1;
    put(
        &ours,
        &[me().sign(Draft { kind: 10_019, created_at, tags, content: String::new() }).unwrap()],
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
    let agent = Agent::reopen(home).await;
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
