//! A sync that is not done in time says what it waits for.

use std::time::Duration;

use nutpurse::testing::api::view::SyncView;
use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::nostr::{Identity, quote_event};
use nutpurse::testing::wallet::{Caller, Deadline, core::clock};
use serde_json::json;
use testbed::{Moment, Proxy, Relay, Rule};

use super::by_hand::{self, Press, agreed, me, put, token};
use super::hostile::{incomes, listed_key, lock};
use super::{KEY, sync};
use crate::world::{Agent, Home, Settings, mint};

/// What a sync says whose caller has waited for almost as long as a call may, while the mint
/// answers nothing there.
async fn told(agent: &Agent, proxy: &Proxy, method: &str, path: &str) -> String {
    tokio::time::pause();
    let soon = Deadline::of_a_call();
    // Sooner than a mint is given up.
    tokio::time::advance(Duration::from_secs(32)).await;
    tokio::time::resume();
    let hung = proxy.fail(Rule::new(method, path, Moment::Hang).every());
    let wallet = agent.wallet().await.until(soon);
    let sync =
        tokio::spawn(
            async move { wallet.relays().sync(&Caller { agent: "tester".to_owned() }).await },
        );
    proxy.reached(hung).await;
    tokio::time::pause();
    let told = sync.await.unwrap().unwrap();
    tokio::time::resume();
    proxy.clear();
    proxy.cut();
    SyncView::from(told).next_step.unwrap_or_default()
}

#[tokio::test]
async fn a_sync_that_waits_for_a_mint_names_it_whatever_the_mint_is_asked_for() {
    let (_lightning, mint) = mint().await;
    let (relay, proxy) = (Relay::start().await.unwrap(), Proxy::start(&mint.url()).await.unwrap());
    let home =
        Home::new(&Settings::at([proxy.url()]).relays([relay.url()]).more("claim = \"sync\""))
            .unwrap();
    let agent = Agent::with_nsec(home, KEY);
    agreed(&agent).await;
    let (press, now) = (Press::of(&mint), clock::now());
    let slow = format!("The mint {} is slow to answer", proxy.url());

    // A deposit of another device.
    let quote = press
        .ask("/v1/mint/quote/bolt11", Some(json!({"amount": 21, "unit": "sat"})))
        .await["quote"]
        .as_str()
        .unwrap()
        .to_owned();
    put(
        &relay,
        &[quote_event::write(&me(), &Secret::new(quote), None, &proxy.url(), now + 3_600, now)
            .unwrap()],
    )
    .await;
    let of_a_deposit = told(&agent, &proxy, "GET", "/v1/mint/quote").await;
    assert!(of_a_deposit.starts_with(&slow), "{of_a_deposit}");

    // A nutzap.
    let key = format!("02{}", listed_key(&relay));
    let coins = press.coins(&[(16, lock("P2PK", &key, &json!([])))]).await;
    let stranger = Identity::random().unwrap();
    put(&relay, &[by_hand::nutzap(&stranger, &proxy.url(), &coins, "hello")]).await;
    let of_a_nutzap = told(&agent, &proxy, "POST", "/v1/checkstate").await;
    assert!(of_a_nutzap.starts_with(&slow), "{of_a_nutzap}");

    // Coins of another device, which the mint has called unspent. They are claimed once in a while only, and first after a start.
    while incomes(&agent).await.is_empty() {
        sync(&agent).await;
    }
    let agent = Agent::two_minutes_later(agent.close().await);
    put(&relay, &[token(&me(), &proxy.url(), &press.bearer(2, 8).await, clock::now())]).await;
    let of_a_claim = told(&agent, &proxy, "POST", "/v1/swap").await;
    assert!(of_a_claim.starts_with(&slow), "{of_a_claim}");
}
