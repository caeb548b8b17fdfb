//! Floods of nutzaps: what thousands that are worth nothing cost, and those of a mint that hangs.

use std::time::Instant;

use cdk_common::nuts::Proof;
use cdk_common::secret::Secret as CoinSecret;
use nutpurse::testing::nostr::{Event, Identity, nutzap};
use nutpurse::testing::store::Store;
use nutpurse::testing::wallet::core::clock;
use serde_json::json;
use testbed::{Moment, Proxy, Relay, Rule};

use super::by_hand::{Press, agreed, me, put};
use super::hostile::{incomes, listed_key, lock};
use super::{KEY, spendable, sync};
use crate::world::{Agent, Home, Settings, fund, mint, number};

/// Older than what a listener hears of, in seconds: a nutzap of this age is found by a sync, and
/// wakes no round of the wallet's own.
pub(super) const OLD: u64 = 1_000;

/// A receiver behind a proxy, and a coin of its mint from which others are made up.
pub(super) struct Flooded {
    pub(super) mint: testbed::TestMint,
    pub(super) proxy: Proxy,
    pub(super) relay: Relay,
    pub(super) receiver: Agent,
    pub(super) coins: Vec<Proof>,
    key: String,
    _lightning: testbed::Lightning,
}

pub(super) async fn flooded() -> Flooded {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let relay = Relay::start().await.unwrap();
    let receiver = Agent::with_nsec(
        Home::new(&Settings::at([proxy.url()]).relays([relay.url()])).unwrap(),
        KEY,
    );
    fund(&receiver, 20).await;
    agreed(&receiver).await;
    let key = format!("02{}", listed_key(&relay));
    let coins = Press::of(&mint)
        .coins(&[(16, lock("P2PK", &key, &json!([]))), (8, lock("P2PK", &key, &json!([])))])
        .await;
    Flooded { mint, proxy, relay, receiver, coins, key, _lightning: lightning }
}

impl Flooded {
    pub(super) fn good_lock(&self) -> String {
        lock("P2PK", &self.key, &json!([]))
    }

    pub(super) fn by(&self, who: &Identity, coin: Proof, earlier: u64) -> Event {
        let at = clock::now() - earlier;
        nutzap::write(who, &me().public_key(), &self.proxy.url(), "sat", &[coin], "junk", None, at)
            .unwrap()
    }

    /// Made up: of no keyset that the mint has, or with a proof that is wrong.
    fn junk(&self, who: &Identity, n: u64, of_a_keyset: bool) -> Event {
        let secret = CoinSecret::new(self.good_lock());
        let coin = Proof { secret, ..self.coins[0].clone() };
        let made_up = format!("00{n:014x}").parse().unwrap();
        // In seconds of their own, since this relay shows five hundred of one at most.
        self.by(who, if of_a_keyset { coin } else { Proof { keyset_id: made_up, ..coin } }, OLD + n)
    }
}

#[tokio::test]
async fn a_hanging_mint_is_asked_once_a_round() {
    let flooded = flooded().await;
    let who = Identity::random().unwrap();
    let junk: Vec<Event> = (0..200).map(|n| flooded.junk(&who, n, false)).collect();
    put(&flooded.relay, &junk).await;
    put(&flooded.relay, &[flooded.by(&who, flooded.coins[0].clone(), OLD)]).await;
    flooded.proxy.fail(Rule::new("", "/", Moment::Hang).every());
    for round in 1..=2 {
        let (before, since) = (flooded.proxy.exchanges().len(), Instant::now());
        sync(&flooded.receiver).await;
        let asked = flooded.proxy.exchanges().len() - before;
        println!(
            "round {round}: 201 nutzaps wait for a mint that hangs: {asked} requests, {:.1} s",
            since.elapsed().as_secs_f64()
        );
        assert_eq!(
            asked,
            1,
            "{:?}",
            flooded.proxy.exchanges().iter().skip(before).map(|one| &one.path).collect::<Vec<_>>()
        );
    }
    flooded.proxy.clear();
    flooded.proxy.cut();
    let receiver = Agent::two_minutes_later(flooded.receiver.close().await);
    sync(&receiver).await;
    assert_eq!((spendable(&receiver).await, incomes(&receiver).await), (35, vec![(15, 1)]));
    let home = receiver.close().await;
    let store = Store::open(home.path().join("wallet.redb"), || 1_800_000_000).await.unwrap();
    assert_eq!(
        (store.count_nutzaps().await.unwrap(), store.known_nutzaps().await.unwrap().len()),
        (0, 201)
    );
}

#[tokio::test]
async fn thousands_of_junk_nutzaps_cost_a_name_each_and_no_request() {
    let flooded = flooded().await;
    let count = number("NUTPURSE_JUNK").unwrap_or(1_000);
    let who = Identity::random().unwrap();
    let junk: Vec<Event> = (0..count).map(|n| flooded.junk(&who, n, true)).collect();
    put(&flooded.relay, &junk).await;
    let hanging: Vec<Event> = (0..200).map(|n| flooded.junk(&who, n, false)).collect();
    let file = flooded.receiver.home().path().join("wallet.redb");
    let bytes = || std::fs::metadata(&file).unwrap().len();
    let mut told = Vec::new();
    for what in ["junk", "the same again", "and again", "200 of a keyset that no mint has"] {
        if what.starts_with("200") {
            put(&flooded.relay, &hanging).await;
        }
        let (before, since, heard) = (flooded.proxy.exchanges().len(), Instant::now(), bytes());
        sync(&flooded.receiver).await;
        let asked = flooded.proxy.exchanges().len() - before;
        let (took, grew) = (since.elapsed(), bytes().saturating_sub(heard));
        println!(
            "{what}: {:.2} s, {asked} requests to the mint, the file grew by {grew} bytes",
            took.as_secs_f64()
        );
        told.push(asked);
    }
    assert_eq!(told, [0, 0, 0, 1]);
    // A good one among them comes in.
    put(&flooded.relay, &[flooded.by(&who, flooded.coins[1].clone(), 0)]).await;
    sync(&flooded.receiver).await;
    assert_eq!(incomes(&flooded.receiver).await, [(7, 1)]);
    let home = flooded.receiver.close().await;
    let store = Store::open(home.path().join("wallet.redb"), || 1_800_000_000).await.unwrap();
    let (rows, names) =
        (store.count_nutzaps().await.unwrap(), store.known_nutzaps().await.unwrap().len());
    println!("{count} and 200 junk nutzaps: {rows} rows, {names} names");
    assert_eq!((rows, names as u64), (0, count + 201));
}
