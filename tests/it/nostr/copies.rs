//! Nutzaps that others show again, whole or in part: the coins are ours, whoever shows them, and
//! the sender is whom the coins name.

use nutpurse::testing::nostr::{Identity, nutzap};
use serde_json::{Value, json};
use testbed::{Moment, Proxy, Relay, Rule};

use super::by_hand::{self, Press, agreed, put};
use super::hostile::{incomes, listed_key, lock, scene};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Home, Settings, fund, mint};

#[tokio::test]
async fn a_part_of_a_nutzap_copied_by_a_stranger_costs_nothing() {
    let scene = scene().await;
    let wanted = |amounts: &[u64]| {
        amounts.iter().map(|amount| (*amount, scene.good_lock())).collect::<Vec<_>>()
    };
    let by = |who: &Identity, coins: &[_]| by_hand::nutzap(who, &scene.mint.url(), coins, "mine");
    let mallory = Identity::random().unwrap();
    // Its largest coin is shown first by somebody else.
    let coins = scene.locked(&wanted(&[64, 8, 4, 1])).await;
    scene.shows(&by(&mallory, &coins[..1])).await;
    assert_eq!((spendable(&scene.receiver).await, scene.incomes().await), (50 + 63, vec![(63, 1)]));
    let asked = scene.shows(&scene.nutzap(&coins)).await;
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (50 + 63 + 12, vec![(12, 1), (63, 1)]),
        "{asked:?}"
    );
    // Both at once.
    let coins = scene.locked(&wanted(&[32, 2])).await;
    put(&scene.relay, &[by(&mallory, &coins[..1]), scene.nutzap(&coins)]).await;
    sync(&scene.receiver).await;
    sync(&scene.receiver).await;
    let came: u64 = scene.incomes().await.iter().map(|(sats, fee)| sats + fee).sum();
    assert_eq!(
        (came, spendable(&scene.receiver).await),
        (77 + 34, scene.mint.auditor().outstanding().unwrap())
    );
    // A copy of what came in asks nobody.
    let asked = scene.shows(&by(&mallory, &coins)).await;
    assert_eq!(asked, Vec::<String>::new());
}

#[tokio::test]
async fn what_another_device_has_taken_of_a_nutzap_costs_none_of_its_other_coins() {
    let mut scene = scene().await;
    let coins = scene.locked(&[64, 8, 4, 1].map(|amount| (amount, scene.good_lock()))).await;
    let home = scene.receiver.close().await;
    // A stranger shows the largest coin again, and the other device is there first.
    let mallory = Identity::random().unwrap();
    let copy = by_hand::nutzap(&mallory, &scene.mint.url(), &coins[..1], "mine");
    put(&scene.relay, &[copy]).await;
    let other = device(&scene.mint, &[scene.relay.url()], KEY);
    sync(&other).await;
    sync(&other).await;
    assert_eq!(incomes(&other).await, [(63, 1)]);
    other.close().await;
    scene.receiver = Agent::reopen(home);
    scene.shows(&scene.nutzap(&coins)).await;
    assert_eq!(scene.incomes().await, [(12, 1)]);
    assert_eq!(spendable(&scene.receiver).await, scene.mint.auditor().outstanding().unwrap());
}

#[tokio::test]
async fn many_nutzaps_of_one_mint_are_one_swap() {
    let scene = scene().await;
    let coins = scene.locked(&(0..12).map(|_| (1, scene.good_lock())).collect::<Vec<_>>()).await;
    let events: Vec<_> = coins.chunks(1).map(|coin| scene.nutzap(coin)).collect();
    // One sat alone is not worth its fee, and waits for others.
    assert!(!scene.shows(&events[0]).await.iter().any(|route| route.contains("swap")));
    put(&scene.relay, &events[2..]).await;
    let asked = scene.shows(&events[1]).await;
    assert_eq!(asked, ["POST /v1/checkstate", "POST /v1/swap"], "twelve nutzaps");
    let (incomes, fee) = (scene.incomes().await, 12_u64.div_ceil(10));
    assert_eq!((incomes.len(), incomes.iter().map(|(sats, _)| sats).sum::<u64>()), (12, 12 - fee));
    assert_eq!(spendable(&scene.receiver).await, scene.mint.auditor().outstanding().unwrap());
}

#[tokio::test]
async fn the_coins_of_a_nutzap_name_its_sender() {
    let scene = scene().await;
    let alice = Identity::random().unwrap();
    let of_alice = lock("P2PK", &scene.key, &json!(nutzap::lock_tags(&alice.public_key(), None)));
    let coins = scene.locked(&[(16, of_alice), (8, scene.good_lock())]).await;
    let told = |sats: u64| {
        let receiver = scene.receiver.clone();
        async move {
            let history = receiver.ok("list_history", json!({"kind": "nutzap_received"})).await;
            let entries = history["entries"].as_array().unwrap();
            let entry: Value =
                entries.iter().find(|entry| entry["amount_sats"] == sats).unwrap().clone();
            (entry["untrusted_payee"].clone(), entry["sender_proven"].clone())
        }
    };
    let npub = |who: &Identity| json!(nutpurse::testing::nostr::npub(&who.public_key()).unwrap());
    // Somebody else publishes them: a copy, whose coins are ours.
    scene.shows(&scene.nutzap(&coins[..1])).await;
    assert_eq!(told(15).await, (npub(&alice), json!(true)));
    // Without a name in its coins anybody can be the one who publishes.
    scene.shows(&scene.nutzap(&coins[1..2])).await;
    assert_eq!(told(7).await, (npub(&scene.stranger), json!(false)));
}

#[tokio::test]
async fn a_nutzap_above_the_owners_cap_waits_until_the_owner_raises_it() {
    let scene = scene().await;
    let coins = scene.locked(&[(32, scene.good_lock()), (4, scene.good_lock())]).await;
    put(&scene.relay, &[scene.nutzap(&coins[..1]), scene.nutzap(&coins[1..])]).await;
    let home = scene.receiver.close().await;
    let cap = |sats: u64| {
        format!(
            "[[mint]]\nurl = \"{}\"\ntest = true\nmax_balance_sats = {sats}\n",
            scene.mint.url()
        )
    };
    home.write("mints.toml", &cap(60)).unwrap();
    let receiver = Agent::reopen(home);
    sync(&receiver).await;
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (53, vec![(3, 1)]));
    let home = receiver.close().await;
    home.write("mints.toml", &cap(100)).unwrap();
    let receiver = Agent::reopen(home);
    sync(&receiver).await;
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (84, vec![(3, 1), (31, 1)]));
}

#[tokio::test]
async fn a_nutzap_and_a_deposit_at_once_do_not_pass_the_owners_cap_together() {
    let (_lightning, mint) = mint().await;
    let (relay, proxy) = (Relay::start().await.unwrap(), Proxy::start(&mint.url()).await.unwrap());
    let home = Home::new(&Settings::at([proxy.url()]).relays([relay.url()])).unwrap();
    home.write(
        "mints.toml",
        &format!("[[mint]]\nurl = \"{}\"\ntest = true\nmax_balance_sats = 100\n", proxy.url()),
    )
    .unwrap();
    let receiver = Agent::with_nsec(home, KEY);
    fund(&receiver, 40).await;
    agreed(&receiver).await;
    let lock = || lock("P2PK", &format!("02{}", listed_key(&relay)), &json!([]));
    let coins = Press::of(&mint).coins(&[(32, lock()), (16, lock())]).await;
    let nutzap = |coin: usize| {
        let coins = &coins[coin..=coin];
        by_hand::nutzap(&Identity::random().unwrap(), &proxy.url(), coins, "hello")
    };
    // The nutzap is on its way in: 40 and 32 of 100.
    let held = proxy.fail(Rule::new("POST", "/v1/swap", Moment::HoldBefore));
    put(&relay, &[nutzap(0)]).await;
    let syncing = receiver.start("sync", json!({}));
    proxy.reached(held).await;
    let error = receiver.refused("deposit", json!({"amount_sats": 30}), "over_balance_limit").await;
    assert_eq!(error.details["held_sats"], 72, "{error}");
    proxy.release(held);
    syncing.await.unwrap().unwrap();
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (71, vec![(31, 1)]));
    // The deposit is promised after the nutzap was found to fit: 71, 20 and 16 of 100.
    let held = proxy.fail(Rule::new("POST", "/v1/checkstate", Moment::HoldBefore));
    put(&relay, &[nutzap(1)]).await;
    let syncing = receiver.start("sync", json!({}));
    proxy.reached(held).await;
    fund(&receiver, 20).await;
    proxy.release(held);
    syncing.await.unwrap().unwrap();
    assert_eq!(
        (spendable(&receiver).await, incomes(&receiver).await),
        (91, vec![(31, 1)]),
        "it waits"
    );
    let home = receiver.close().await;
    home.write("mints.toml", &format!("[[mint]]\nurl = \"{}\"\ntest = true\n", proxy.url()))
        .unwrap();
    let receiver = Agent::reopen(home);
    sync(&receiver).await;
    assert_eq!(
        (spendable(&receiver).await, incomes(&receiver).await),
        (106, vec![(15, 1), (31, 1)])
    );
}
