//! Nutzaps that are not taken in at once: their mint refuses them for now, the next round is not
//! due, or they are smaller than the owner wants.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cdk_common::nuts::Proof;
use nutpurse::testing::nostr::{Event, Identity};
use nutpurse::testing::store::Store;
use nutpurse::testing::wallet::core::clock;
use testbed::{Moment, Rule};

use super::by_hand::{Press, put};
use super::flood::{OLD, flooded};
use super::hostile::{incomes, scene};
use super::{spendable, sync};
use crate::world::{Agent, Settings};

const DAY: u64 = 86_400;
const SWAP: &str = "/v1/swap";
/// Outside the mint's limits (NUT error list): a no that says nothing of the coins.
const NOT_NOW: u16 = 11_006;

#[tokio::test]
async fn what_a_mint_refuses_for_now_is_asked_about_later_and_no_more_after_sixty_days() {
    static AHEAD: AtomicU64 = AtomicU64::new(0);
    let flooded = flooded().await;
    let (relay, coins, who) = (&flooded.relay, &flooded.coins, Identity::random().unwrap());
    let (first, second) =
        (flooded.by(&who, coins[0].clone(), OLD), flooded.by(&who, coins[1].clone(), OLD));
    let receiver =
        Agent::at(flooded.receiver.close().await, || clock::now() + AHEAD.load(Ordering::SeqCst));
    let at = async |ahead: u64| {
        AHEAD.store(ahead, Ordering::SeqCst);
        sync(&receiver).await;
    };
    at(0).await;
    let refused = flooded.proxy.fail(Rule::new("POST", SWAP, Moment::Refuse(NOT_NOW)).every());
    put(relay, &[first]).await;
    let mut asked = Vec::new();
    for ahead in [0, 200, 400] {
        at(ahead).await;
        asked.push(flooded.proxy.fired(refused));
    }
    assert_eq!(asked, [1, 1, 2], "five minutes lie between the first two");
    put(relay, &[second]).await;
    at(DAY).await;
    assert_eq!(flooded.proxy.fired(refused), 3, "both in one swap");
    // The mint takes all again. The first was seen sixty days ago, the second is a day younger.
    flooded.proxy.clear();
    at(60 * DAY + 60).await;
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (27, vec![(7, 1)]));
    let home = receiver.close().await;
    let store = Store::open(home.path().join("wallet.redb"), || 1_800_000_000).await.unwrap();
    assert_eq!(
        (store.count_nutzaps().await.unwrap(), store.known_nutzaps().await.unwrap().len()),
        (0, 2)
    );
}

#[tokio::test]
async fn a_mint_that_refuses_one_swap_for_now_is_asked_for_no_other_in_that_round() {
    let flooded = flooded().await;
    let who = Identity::random().unwrap();
    // Without the mint's proof each is a swap of its own.
    let bare = |coin: &Proof| flooded.by(&who, Proof { dleq: None, ..coin.clone() }, OLD);
    put(&flooded.relay, &[bare(&flooded.coins[0]), bare(&flooded.coins[1])]).await;
    let refused = flooded.proxy.fail(Rule::new("POST", SWAP, Moment::Refuse(NOT_NOW)).every());
    let mut asked = Vec::new();
    for _ in 0..3 {
        sync(&flooded.receiver).await;
        asked.push(flooded.proxy.fired(refused));
    }
    assert_eq!(asked, [1, 2, 2], "one in a round, and each waits after its refusal");
    flooded.proxy.clear();
    let receiver = Agent::at(flooded.receiver.close().await, || clock::now() + 400);
    sync(&receiver).await;
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (42, vec![(7, 1), (15, 1)]));
}

#[tokio::test]
async fn a_nutzap_worth_less_than_the_owner_wants_is_left_without_a_request() {
    let mut scene = scene().await;
    let coins = scene.locked(&[8, 1, 8, 2, 16].map(|amount| (amount, scene.good_lock()))).await;
    let home = scene.receiver.close().await;
    home.configure(
        &Settings::at([scene.mint.url()]).relays([scene.relay.url()]).more("nutzap_min_sats = 10"),
    )
    .unwrap();
    scene.receiver = Agent::reopen(home);
    sync(&scene.receiver).await;
    assert_eq!(scene.shows(&scene.nutzap(&coins[..2])).await, Vec::<String>::new());
    assert!(scene.incomes().await.is_empty(), "nine sats");
    // What counts is the sum, not each coin.
    scene.shows(&scene.nutzap(&coins[2..4])).await;
    scene.shows(&scene.nutzap(&coins[4..])).await;
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (74, vec![(9, 1), (15, 1)])
    );
}

/// Waits until the wallet has taken in so many nutzaps by itself.
async fn taken_in(receiver: &Agent, count: usize) {
    let mut changes = receiver.wallet().await.changes();
    while incomes(receiver).await.len() < count {
        tokio::time::timeout(Duration::from_secs(60), changes.changed()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn rounds_that_news_of_nutzaps_wakes_are_ten_seconds_apart() {
    let flooded = flooded().await;
    let (relay, who) = (&flooded.relay, Identity::random().unwrap());
    let first = flooded.by(&who, flooded.coins[0].clone(), 0);
    let later = Press::of(&flooded.mint)
        .coins(&[2, 4, 8].map(|amount| (amount, flooded.good_lock())))
        .await;
    let later: Vec<Event> = later.into_iter().map(|coin| flooded.by(&who, coin, 0)).collect();
    let home = flooded.receiver.close().await;
    put(relay, &[first]).await;
    let receiver = Agent::reopen(home);
    // The round at the start takes in what came while the wallet was off; what comes now is heard
    // of at once.
    taken_in(&receiver, 1).await;
    put(relay, &later).await;
    taken_in(&receiver, 4).await;
    let swaps =
        flooded.proxy.exchanges().into_iter().filter(|one| one.path == SWAP).map(|one| one.at);
    let [first, second] =
        swaps.collect::<Vec<_>>().try_into().expect("the three that came together are one swap");
    let apart = second.duration_since(first);
    assert!(apart >= Duration::from_secs(10), "{apart:?}");
}
