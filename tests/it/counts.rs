//! What a verb costs: requests to the mint, and how often the disk is asked to hold on to
//! something.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nutpurse::testing::mint::{MintContext, Mints, Seed, Seeds};
use nutpurse::testing::model::destination::Destination;
use nutpurse::testing::model::keys::KeysPlace;
use nutpurse::testing::model::mint::TrustedMint;
use nutpurse::testing::model::money::Sats;
use nutpurse::testing::model::payment::PaymentState;
use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::policy::{Limits, Policy};
use nutpurse::testing::store::Store;
use nutpurse::testing::wallet::{Caller, DepositIntent, Parts, PaymentIntent, Wallet, core::clock};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use serde_json::json;
use testbed::TestMint;

use crate::world::{funded, mint, routes};

const STATUS: &str = "GET /v1/mint/quote/bolt11";

#[tokio::test]
async fn every_warm_verb_costs_the_requests_it_must() {
    let (lightning, mint) = mint().await;
    let (agent, giver) = (funded(&mint, 1_000).await, funded(&mint, 1_000).await);
    let shop = lightning.payee("shop");
    agent.ok("pay", json!({"to": shop.invoice(5, "cold").unwrap().to_string()})).await;
    let token = giver.ok("send_token", json!({"amount_sats": 100})).await["token"].clone();
    drop(mint.take_requests());

    agent.ok("pay", json!({"to": shop.invoice(100, "warm").unwrap().to_string()})).await;
    assert_eq!(routes(&mint), ["POST /v1/melt/quote/bolt11", "POST /v1/melt/bolt11"]);
    agent
        .ok(
            "pay",
            json!({"to": shop.invoice(5, "it takes all of its reserve").unwrap().to_string()}),
        )
        .await;
    // Whether there is change after all is asked later, in the background.
    assert_eq!(routes(&mint), ["POST /v1/melt/quote/bolt11", "POST /v1/melt/bolt11"]);
    agent.ok("receive_token", json!({"token": token})).await;
    assert_eq!(routes(&mint), ["POST /v1/swap"]);
    agent.ok("send_token", json!({"amount_sats": 64})).await;
    let exact = routes(&mint);
    assert!(exact.iter().all(|route| route == "POST /v1/checkstate"), "{exact:?}");
    agent.ok("get_balance", json!({})).await;
    agent.ok("list_history", json!({})).await;
    assert!(routes(&mint).iter().all(|route| route == "POST /v1/checkstate"));
}

#[tokio::test]
async fn an_exact_token_costs_no_request() {
    let (_lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    drop(mint.take_requests());
    agent.ok("send_token", json!({"amount_sats": 512 + 8})).await;
    let asked = routes(&mint);
    assert!(
        asked.iter().all(|route| route == "POST /v1/checkstate"),
        "only whether it is claimed: {asked:?}"
    );
}

#[tokio::test]
async fn a_deposit_costs_its_quote_its_status_and_its_claim() {
    let (_lightning, mint) = mint().await;
    let agent = funded(&mint, 10).await;
    drop(mint.take_requests());
    let deposit = agent.ok("deposit", json!({"amount_sats": 50})).await;
    let got = agent.deposit_within(&deposit["deposit_id"], 30).await;
    assert_eq!(got["state"], "received");
    let asked = routes(&mint);
    println!("a deposit: {asked:?}");
    assert_eq!(asked.first().map(String::as_str), Some("POST /v1/mint/quote/bolt11"));
    assert_eq!(
        asked.iter().filter(|route| *route == "POST /v1/mint/bolt11").count(),
        1,
        "{asked:?}"
    );
    let others = asked.iter().filter(|route| {
        !["POST /v1/mint/quote/bolt11", "POST /v1/mint/bolt11", "GET /v1/ws", STATUS]
            .contains(&route.as_str())
    });
    assert_eq!(others.count(), 0, "{asked:?}");
}

/// A disk in memory that counts how often it is asked to hold on.
#[derive(Clone)]
struct Counting(Arc<InMemoryBackend>, Arc<AtomicU64>);

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

impl StorageBackend for Counting {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

async fn wallet(mint: &TestMint, store: Store) -> Wallet {
    let limits = Limits {
        per_payment_sats: 10_000,
        per_day_sats: 100_000,
        max_fee_hundredths: 200,
        max_fee_floor_sats: 5,
    };
    let listed =
        TrustedMint { address: mint.url().parse().unwrap(), test: true, max_balance_sats: None };
    let rules =
        Arc::new(Policy { limits, paused: false, agents: Default::default(), mints: vec![listed] });
    let allow = [mint.url().parse().unwrap()].into_iter().collect();
    let http = Arc::new(Web::new(&NetworkSettings { allow, proxy: None }).unwrap());
    let parts = MintContext {
        http: Arc::clone(&http) as Arc<_>,
        records: store.records(0),
        seed: Seed::new([7; 64]),
        seeds: Seeds::new(|_| Some(Seed::new([7; 64]))),
    };
    Wallet::new(Parts {
        store,
        mints: Mints::new(parts),
        http,
        rules,
        clock: clock::now,
        keys: KeysPlace::File,
        nostr: None,
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_warm_payment_asks_the_disk_for_little() {
    let (lightning, mint) = mint().await;
    let syncs = Arc::new(AtomicU64::new(0));
    let disk = Counting(Arc::new(InMemoryBackend::new()), Arc::clone(&syncs));
    let store = Store::with_backend(disk, clock::now).await.unwrap();
    let wallet = wallet(&mint, store.clone()).await;
    let caller = Caller { agent: "counter".to_owned() };
    let deposit = DepositIntent {
        amount: Sats::new(1_000).unwrap(),
        mint: None,
        description: None,
        key: None,
    };
    wallet.deposits().open(&caller, deposit).await.unwrap();
    let got = wallet.deposits().get(&caller, None, Duration::from_secs(30)).await.unwrap();
    assert!(!got.is_open(), "{got:?}");
    let shop = lightning.payee("shop");
    for (turn, words) in ["cold", "warm", "warmer"].into_iter().enumerate() {
        let (commits, before) = (store.durable_commits(), syncs.load(Ordering::Relaxed));
        let pay = PaymentIntent {
            destination: Destination::read(&shop.invoice(5, words).unwrap().to_string()).unwrap(),
            amount: None,
            mint: None,
            max_fee_sats: None,
            comment: None,
            key: None,
            repeat_of: None,
        };
        let paid = wallet.payments().pay(&caller, pay).await.unwrap().payment;
        assert!(matches!(paid.state, PaymentState::Settled { .. }), "{paid:?}");
        let (commits, syncs) =
            (store.durable_commits() - commits, syncs.load(Ordering::Relaxed) - before);
        println!("a {words} payment: {commits} durable commits, {syncs} syncs");
        assert!(
            turn == 0 || (commits <= 2 && syncs <= 4),
            "{words}: {commits} durable commits, {syncs} syncs"
        );
    }
}
