//! Nutzaps that strangers send to cost us something, to have us contact somebody, or to be counted
//! twice.

use cdk_common::nuts::Proof;
use cdk_common::secret::Secret as CoinSecret;
use nutpurse::testing::nostr::nutzap_key::NutzapKey;
use nutpurse::testing::nostr::{Event, Identity};
use serde_json::{Value, json};
use testbed::{CoinLie, Liar, Lie, Proxy, Relay, TestMint};

use super::by_hand::{self, Press, agreed, me, nothing_waits, put};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Home, Settings, conserved, fund, mint, routes, sats};

/// A receiver whom strangers know: by the key and the mint on its public list.
pub(super) struct Scene {
    _lightning: testbed::Lightning,
    pub(super) mint: TestMint,
    pub(super) relay: Relay,
    pub(super) receiver: Agent,
    pub(super) stranger: Identity,
    pub(super) press: Press,
    /// The key to lock to, as a lock names it.
    pub(super) key: String,
}

pub(super) async fn scene() -> Scene {
    let (lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let receiver = device(&mint, &[relay.url()], KEY);
    fund(&receiver, 50).await;
    agreed(&receiver).await;
    let key = format!("02{}", listed_key(&relay));
    Scene {
        _lightning: lightning,
        press: Press::of(&mint),
        mint,
        relay,
        receiver,
        stranger: Identity::random().unwrap(),
        key,
    }
}

/// The key on the public list, x only.
pub(super) fn listed_key(relay: &Relay) -> String {
    let list = relay.taken().into_iter().rfind(|event| event["kind"] == 10_019).unwrap();
    let tag =
        list["tags"].as_array().unwrap().iter().find(|tag| tag[0] == "pubkey").unwrap().clone();
    let text = tag[1].as_str().unwrap();
    text[text.len() - 64..].to_owned()
}

pub(super) fn lock(kind: &str, data: &str, tags: &Value) -> String {
    json!([kind, {"nonce": CoinSecret::generate().to_string(), "data": data, "tags": tags}])
        .to_string()
}

impl Scene {
    pub(super) fn good_lock(&self) -> String {
        lock("P2PK", &self.key, &json!([]))
    }

    /// Coins under these locks, and nothing in the mint's log.
    pub(super) async fn locked(&self, locks: &[(u64, String)]) -> Vec<Proof> {
        let coins = self.press.coins(locks).await;
        routes(&self.mint);
        coins
    }

    pub(super) fn nutzap(&self, proofs: &[Proof]) -> Event {
        by_hand::nutzap(&self.stranger, &self.mint.url(), proofs, "hello")
    }

    /// A nutzap with other tags beside its coins.
    fn odd(&self, proofs: &[Proof], tags: &[[&str; 2]]) -> Event {
        let texts: Vec<String> =
            proofs.iter().map(|proof| serde_json::to_string(proof).unwrap()).collect();
        let mut all: Vec<Vec<&str>> =
            texts.iter().map(|text| vec!["proof", text.as_str()]).collect();
        all.extend(tags.iter().map(|tag| tag.to_vec()));
        by_hand::event(
            &self.stranger,
            9321,
            &all.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            "hello",
        )
    }

    /// Shows the event to the receiver. What it asked the mint.
    pub(super) async fn shows(&self, event: &Event) -> Vec<String> {
        routes(&self.mint);
        put(&self.relay, std::slice::from_ref(event)).await;
        sync(&self.receiver).await;
        routes(&self.mint)
    }

    pub(super) async fn incomes(&self) -> Vec<(u64, u64)> {
        incomes(&self.receiver).await
    }
}

/// What every nutzap brought, less the mint's fee, and that fee; the smallest first.
pub(super) async fn incomes(agent: &Agent) -> Vec<(u64, u64)> {
    let history = agent.ok("list_history", json!({"kind": "nutzap_received", "limit": 500})).await;
    let entries = history["entries"].as_array().unwrap().iter();
    let mut incomes: Vec<(u64, u64)> =
        entries.map(|entry| (sats(entry, "amount_sats"), sats(entry, "fee_sats"))).collect();
    incomes.sort_unstable();
    incomes
}

#[tokio::test]
async fn a_nutzap_that_is_not_ours_alone_costs_no_request_and_no_sat() {
    let scene = scene().await;
    let (_other_lightning, elsewhere) = mint().await;
    let other = NutzapKey::from_secret(&Identity::random().unwrap().secret_hex())
        .unwrap()
        .public_compressed();
    let key = scene.key.clone();
    let x = &key[2..];
    let hash = "ab".repeat(32);
    let locks = [
        ("locked to another", lock("P2PK", &other, &json!([]))),
        ("in a form that no mint opens", lock("P2PK", x, &json!([]))),
        ("open after a time", lock("P2PK", &key, &json!([["locktime", "1"]]))),
        (
            "given back since a time",
            lock("P2PK", &key, &json!([["locktime", "1"], ["refund", other]])),
        ),
        ("two signatures", lock("P2PK", &key, &json!([["n_sigs", "2"], ["pubkeys", other]]))),
        ("another key as well", lock("P2PK", &key, &json!([["n_sigs", "1"], ["pubkeys", other]]))),
        ("signed over outputs", lock("P2PK", &key, &json!([["sigflag", "SIG_ALL"]]))),
        ("locked by a hash", lock("HTLC", &hash, &json!([["pubkeys", key]]))),
        ("not locked", CoinSecret::generate().to_string()),
    ];
    let wanted: Vec<(u64, String)> = locks.iter().map(|(_, lock)| (8, lock.clone())).collect();
    let mut cases: Vec<(String, Event)> = Vec::new();
    for ((name, _), coin) in locks.iter().zip(scene.locked(&wanted).await) {
        cases.push(((*name).to_owned(), scene.nutzap(&[coin])));
    }
    let good = scene.locked(&(0..16).map(|_| (8, scene.good_lock())).collect::<Vec<_>>()).await;
    let (mut wrong, mut dear) = (good[1].clone(), good[2].clone());
    wrong.dleq.clone_from(&good[3].dleq);
    dear.amount = 64.into();
    cases.push(("with another's proof".to_owned(), scene.nutzap(&[wrong])));
    cases.push(("worth more than it is".to_owned(), scene.nutzap(&[dear])));
    let made_up = Proof { secret: CoinSecret::new(scene.good_lock()), ..good[4].clone() };
    cases.push(("made up".to_owned(), scene.nutzap(&[made_up])));
    let (url, not_ours, to_us, to_other) =
        (scene.mint.url(), elsewhere.url(), me().public_key(), scene.stranger.public_key());
    let of_us = ["p", to_us.as_str()];
    let (of_mint, of_other_mint) = (["u", url.as_str()], ["u", not_ours.as_str()]);
    let (in_sats, in_cents) = (["unit", "sat"], ["unit", "usd"]);
    let odd = [
        ("of a mint that is not listed", vec![of_us, of_other_mint, in_sats]),
        ("in cents", vec![of_us, of_mint, in_cents]),
        ("for two", vec![of_us, ["p", to_other.as_str()], of_mint, in_sats]),
        ("of two mints", vec![of_us, of_mint, of_other_mint, in_sats]),
        ("of no mint", vec![of_us, in_sats]),
        ("in two units", vec![of_us, of_mint, in_sats, in_cents]),
    ];
    for ((name, tags), coin) in odd.into_iter().zip(&good[5..]) {
        cases.push((name.to_owned(), scene.odd(std::slice::from_ref(coin), &tags)));
    }
    let third = Identity::random().unwrap().public_key();
    cases.push((
        "for somebody else".to_owned(),
        scene.odd(&good[12..13], &[["p", third.as_str()], of_mint, in_sats]),
    ));
    // Whoever reads a stranger's list may name a mint by another address of the same host.
    let path = format!("{url}/other");
    cases.push((
        "of a path at our mint".to_owned(),
        scene.odd(&good[13..14], &[of_us, ["u", path.as_str()], in_sats]),
    ));
    let events: Vec<Event> = cases.iter().map(|(_, event)| event.clone()).collect();
    put(&scene.relay, &events[1..]).await;
    // One after the other would ask nothing either; together they are quicker, and the first goes
    // alone.
    assert_eq!(scene.shows(&events[0]).await, Vec::<String>::new(), "{}", cases[0].0);
    for (name, _) in &cases {
        println!("refused: {name}");
    }
    assert_eq!((spendable(&scene.receiver).await, scene.incomes().await), (50, vec![]));
    assert_eq!(elsewhere.take_requests().len(), 0, "a mint was asked that nobody has listed");
    // A good one still comes in, and those from before are not looked at again.
    let asked = scene.shows(&scene.nutzap(&good[15..])).await;
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (57, vec![(7, 1)]),
        "{asked:?}"
    );
    assert_eq!(asked.iter().filter(|route| route.contains("swap")).count(), 1, "{asked:?}");
    let receiver = Agent::reopen(scene.receiver.close().await);
    sync(&receiver).await;
    routes(&scene.mint);
    sync(&receiver).await;
    assert_eq!((routes(&scene.mint), spendable(&receiver).await), (vec![], 57));
    nothing_waits(receiver).await;
}

#[tokio::test]
async fn a_coin_in_two_nutzaps_is_credited_once() {
    let scene = scene().await;
    let coins = scene.locked(&[(16, scene.good_lock()), (4, scene.good_lock())]).await;
    // The same coin, by two senders, and beside another that is good too.
    let copy =
        by_hand::nutzap(&Identity::random().unwrap(), &scene.mint.url(), &coins[..1], "mine");
    put(&scene.relay, &[scene.nutzap(&coins[..1]), copy]).await;
    sync(&scene.receiver).await;
    assert_eq!((spendable(&scene.receiver).await, scene.incomes().await), (65, vec![(15, 1)]));
    let asked = scene.shows(&scene.nutzap(&coins)).await;
    // The coin beside it is as good as any.
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (68, vec![(3, 1), (15, 1)]),
        "{asked:?}"
    );
    // Another device, that has never seen it, asks once and credits nothing either.
    sync(&scene.receiver).await;
    let second = device(&scene.mint, &[scene.relay.url()], KEY);
    sync(&second).await;
    assert_eq!((spendable(&second).await, incomes(&second).await), (68, vec![]));
    routes(&scene.mint);
    sync(&second).await;
    assert_eq!(routes(&scene.mint), Vec::<String>::new());
}

#[tokio::test]
async fn a_nutzap_waits_for_its_mint_and_is_redeemed_once_when_it_is_back() {
    let scene = scene().await;
    let coins = scene.locked(&[(32, scene.good_lock())]).await;
    scene.mint.stop().await;
    put(&scene.relay, &[scene.nutzap(&coins)]).await;
    for _ in 0..2 {
        sync(&scene.receiver).await;
    }
    assert_eq!((spendable(&scene.receiver).await, scene.incomes().await), (50, vec![]));
    let home = scene.receiver.close().await;
    scene.mint.resume().await.unwrap();
    let receiver = Agent::two_minutes_later(home);
    for _ in 0..3 {
        sync(&receiver).await;
    }
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (81, vec![(31, 1)]));
    conserved("after a mint that was down", &scene.mint.auditor(), &[&receiver]).await;
}

#[tokio::test]
async fn a_nutzap_whose_coins_are_in_use_is_not_given_up() {
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let liar = Liar::before(&proxy);
    let relay = Relay::start().await.unwrap();
    let home = Home::new(&Settings::at([proxy.url()]).relays([relay.url()])).unwrap();
    let receiver = Agent::with_nsec(home, KEY);
    agreed(&receiver).await;
    let lock = lock("P2PK", &format!("02{}", listed_key(&relay)), &json!([]));
    let coins = Press::of(&mint).coins(&[(16, lock)]).await;
    let stranger = Identity::random().unwrap();
    liar.tell(Lie::Coins(CoinLie::All("PENDING")));
    put(&relay, &[by_hand::nutzap(&stranger, &proxy.url(), &coins, "hello")]).await;
    sync(&receiver).await;
    assert!(liar.told() > 0 && incomes(&receiver).await.is_empty());
    liar.stop();
    sync(&receiver).await;
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (15, vec![(15, 1)]));
}

#[tokio::test]
async fn a_nutzap_of_a_keyset_that_is_newer_than_what_we_know_comes_in() {
    let scene = scene().await;
    scene.mint.rotate_keyset(100).await.unwrap();
    let coins = scene
        .locked(&[(32, scene.good_lock()), (8, scene.good_lock()), (8, scene.good_lock())])
        .await;
    let asked = scene.shows(&scene.nutzap(&coins[..1])).await;
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (81, vec![(31, 1)]),
        "{asked:?}"
    );
    // Keysets that no mint has cost one look at its list, however many name them.
    let made_up: Vec<Event> = (0..8_u8)
        .map(|n| {
            let id = format!("00{}", format!("{n:02x}").repeat(7)).parse().unwrap();
            scene.nutzap(&[Proof { keyset_id: id, ..coins[1].clone() }])
        })
        .collect();
    put(&scene.relay, &made_up[1..]).await;
    let asked = scene.shows(&made_up[0]).await;
    println!("eight made-up keysets: {asked:?}");
    assert!(asked.len() <= 4, "{asked:?}");
    assert_eq!(scene.incomes().await.len(), 1);
    // While the mint is away nobody knows: such a nutzap waits.
    scene.mint.rotate_keyset(100).await.unwrap();
    let coins = scene.locked(&[(2, scene.good_lock()), (4, scene.good_lock())]).await;
    scene.mint.stop().await;
    put(&scene.relay, &[scene.nutzap(&coins[..1]), scene.nutzap(&coins[1..])]).await;
    sync(&scene.receiver).await;
    scene.mint.resume().await.unwrap();
    let receiver = Agent::two_minutes_later(scene.receiver.close().await);
    sync(&receiver).await;
    sync(&receiver).await;
    assert_eq!(
        (spendable(&receiver).await, incomes(&receiver).await.len()),
        (86, 3),
        "the two are one swap"
    );
}
