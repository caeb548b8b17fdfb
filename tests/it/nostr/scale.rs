//! Many events of another program: how long a new device takes to know them all, and what it asks.
//! `NUTPURSE_EVENTS` says how many.

use std::time::Instant;

use bip39::Mnemonic;
use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::nostr::Identity;
use nutpurse::testing::wallet::core::clock;
use serde_json::json;
use testbed::{MintOptions, Relay, TestMint};

use super::by_hand::{Press, agreed, put, token};
use super::{device, spendable, sync};
use crate::world::{Agent, Home, Settings, binary, fund, mint_with, number, routes};

/// Coins of one event.
const COINS: usize = 10;

fn events() -> usize {
    number("NUTPURSE_EVENTS").map_or(20, |events| usize::try_from(events).unwrap())
}

/// Does something, and prints what it took.
async fn timed<T>(what: &str, mint: &TestMint, relay: &Relay, done: impl Future<Output = T>) -> T {
    routes(mint);
    let (begun, frames) = (Instant::now(), relay.frames());
    let answer = done.await;
    let took = begun.elapsed();
    println!(
        "{what}: {took:.2?}, {} requests to the mint, {} messages to the relay",
        routes(mint).len(),
        relay.frames() - frames
    );
    answer
}

/// Runs `restore` with the words on a pipe. What it printed.
async fn restore(home: &Home, words: &str) -> String {
    let mut command = binary::binary(home);
    command.args(["restore", "--words"]);
    let words = format!("{words}\n");
    let output = tokio::task::spawn_blocking(move || binary::run(command, &words)).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_device_takes_in_many_events_of_another_program() {
    let (lightning, mint) =
        mint_with(MintOptions { input_fee_ppk: 0, ..MintOptions::default() }).await;
    let relay = Relay::start().await.unwrap();
    let words = Mnemonic::generate(12).unwrap().to_string();
    let who = Identity::from_words(&Secret::new(words.as_str())).unwrap();
    let begun = Instant::now();
    let coins = Press::of(&mint).bearer(events() * COINS, 1).await;
    let first = clock::now() - 1_000_000;
    let told: Vec<_> = coins
        .chunks(COINS)
        .zip(0..)
        .map(|(some, n)| token(&who, &mint.url(), some, first + n))
        .collect();
    put(&relay, &told).await;
    let all = coins.len() as u64;
    println!("{} events with {all} coins, made in {:.2?}", told.len(), begun.elapsed());

    let agent = device(&mint, &[relay.url()], who.secret_hex().reveal());
    timed("open", &mint, &relay, agent.wallet()).await;
    let said = timed("the first sync, with the key alone", &mint, &relay, sync(&agent)).await;
    assert_eq!((said["state"].as_str(), spendable(&agent).await), (Some("synced"), all), "{said}");
    timed("the second", &mint, &relay, sync(&agent)).await;
    timed("a balance", &mint, &relay, agent.ok("get_balance", json!({}))).await;
    let shop = lightning.payee("shop");
    for sats in [25, 25] {
        let to = shop.invoice(sats, "tea").unwrap().to_string();
        let paid = timed(
            "a payment that has to claim first",
            &mint,
            &relay,
            agent.ok("pay", json!({"to": to})),
        )
        .await;
        assert_eq!(paid["state"], "settled", "{paid}");
    }
    timed("the sync after it", &mint, &relay, sync(&agent)).await;
    let left = mint.auditor().outstanding().unwrap();
    assert_eq!(spendable(&agent).await, left);

    // The wallet of the words has coins of its own, before its machine is lost.
    let home = || Home::new(&Settings::at([mint.url()]).relays([relay.url()])).unwrap();
    let lost = home();
    restore(&lost, &words).await;
    let lost = Agent::open(lost);
    fund(&lost, 300).await;
    agreed(&lost).await;
    lost.close().await;
    let left = left + 300;
    let home = home();
    println!(
        "{}",
        timed("restore with the words alone", &mint, &relay, restore(&home, &words)).await
    );
    let back = Agent::open(home);
    println!("{} sats came back by the words", spendable(&back).await);
    timed("the sync after that", &mint, &relay, sync(&back)).await;
    assert_eq!(spendable(&back).await, left, "all that other devices hold came back");
    println!("{left} sats with the relays");

    // A device that makes all of it its own.
    let eager =
        Home::new(&Settings::at([mint.url()]).relays([relay.url()]).more("claim = \"sync\""))
            .unwrap();
    let eager = Agent::with_nsec(eager, who.secret_hex().reveal());
    timed("a sync that claims all", &mint, &relay, sync(&eager)).await;
    timed("and one after it", &mint, &relay, sync(&eager)).await;
    assert_eq!((spendable(&eager).await, mint.auditor().outstanding().unwrap()), (left, left));
}
