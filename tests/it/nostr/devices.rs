//! Two devices of one wallet: what one does, the other sees; what both do at once loses nothing.

use serde_json::json;
use testbed::{Moment, Proxy, Relay, Rule};

use super::{KEY, spendable, sync, two};
use crate::world::{Agent, Home, Settings, fund, holdings, mint, sats};

#[tokio::test]
async fn what_one_device_receives_the_other_sees_and_spends() {
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let (a, b) = two(&mint, &relay);
    fund(&a, 100).await;
    let told = sync(&a).await;
    assert_eq!(
        (told["state"].as_str(), &told["relays"][0]["unpublished"]),
        (Some("synced"), &json!(0)),
        "{told}"
    );
    let seen = sync(&b).await;
    assert_eq!((sats(&seen, "pulled_sats"), spendable(&b).await), (100, 100), "{seen}");
    let paid = b.ok("pay", json!({"to": shop.invoice(30, "tea").unwrap().to_string()})).await;
    assert_eq!(paid["state"], "settled", "{paid}");
    let left = spendable(&b).await;
    assert_eq!(left, mint.auditor().outstanding().unwrap());
    sync(&b).await;
    let seen = sync(&a).await;
    assert_eq!(spendable(&a).await, left, "{seen}");
    sync(&b).await;
    assert_eq!(spendable(&b).await, left);
}

#[tokio::test]
async fn a_payment_whose_coins_another_device_took_before_it_was_sent_ends_as_failed() {
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let (relay, proxy) = (Relay::start().await.unwrap(), Proxy::start(&mint.url()).await.unwrap());
    let device = || {
        Agent::with_nsec(
            Home::new(&Settings::at([proxy.url()]).relays([relay.url()])).unwrap(),
            KEY,
        )
    };
    let (a, b) = (device(), device());
    fund(&a, 100).await;
    sync(&a).await;
    sync(&b).await;
    // The mint never hears of it, and the wallet cannot know.
    proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::BeforeRequest).every());
    let lost = a.ok("pay", json!({"to": shop.invoice(30, "lost").unwrap().to_string()})).await;
    assert_eq!(lost["state"], "pending", "{lost}");
    let home = a.close().await;
    proxy.clear();
    let paid = b.ok("pay", json!({"to": shop.invoice(60, "paid").unwrap().to_string()})).await;
    assert_eq!(paid["state"], "settled", "{paid}");
    sync(&b).await;

    let a = Agent::two_minutes_later(home);
    let ended = a.ended(&lost["payment_id"]).await;
    assert_eq!(ended["state"], "failed", "{ended}");
    // A may have written its other coins anew before it read that B took them as well; B says so in
    // its turn.
    sync(&a).await;
    let told = (sync(&b).await, sync(&a).await);
    let left = mint.auditor().outstanding().unwrap();
    assert_eq!((spendable(&a).await, spendable(&b).await), (left, left), "{told:?}");
    assert_eq!((holdings(&a).await.pending, shop.received()), (0, 60));
}

#[tokio::test]
async fn a_coin_not_worth_its_fee_is_not_claimed_alone_and_does_not_stay_pending() {
    let (lightning, mint) = mint().await;
    mint.rotate_keyset(100).await.unwrap();
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let (a, b) = two(&mint, &relay);
    fund(&a, 1).await;
    sync(&a).await;
    sync(&b).await;
    let to = shop.invoice(1, "tea").unwrap().to_string();
    b.refused("pay", json!({"to": to}), "insufficient_funds").await;
    let held = holdings(&b).await;
    assert_eq!((held.spendable, held.pending), (1, 0));
    // With others it is worth something.
    fund(&a, 1).await;
    fund(&a, 32).await;
    sync(&a).await;
    sync(&b).await;
    let paid = b.ok("pay", json!({"to": shop.invoice(28, "tea").unwrap().to_string()})).await;
    assert_eq!(paid["state"], "settled", "{paid}");
    sync(&b).await;
    sync(&a).await;
    let left = mint.auditor().outstanding().unwrap();
    assert_eq!((spendable(&a).await, spendable(&b).await), (left, left));
}

#[tokio::test]
async fn a_payment_that_was_lost_and_whose_coins_another_device_took_ends_as_not_made() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let home =
        |more| Home::new(&Settings::at([proxy.url()]).relays([relay.url()]).more(more)).unwrap();
    let (a, b) = (Agent::with_nsec(home(""), KEY), Agent::with_nsec(home("claim = \"sync\""), KEY));
    fund(&a, 100).await;
    sync(&a).await;
    // The request is lost on its way, and nobody can know.
    proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::BeforeRequest));
    let to = shop.invoice(30, "tea").unwrap().to_string();
    let asked = a.ok("pay", json!({"to": to})).await;
    assert_eq!(asked["state"], "pending", "{asked}");
    proxy.clear();
    let home = a.close().await;
    sync(&b).await;
    let owed = mint.auditor().outstanding().unwrap();
    assert_eq!(spendable(&b).await, owed);
    let a = Agent::two_minutes_later(home);
    let ended = a.ended(&asked["payment_id"]).await;
    assert_eq!((ended["state"].as_str(), shop.received()), (Some("failed"), 0), "{ended}");
    sync(&a).await;
    sync(&a).await;
    let told = holdings(&a).await;
    assert_eq!((told.spendable, told.pending), (owed, 0), "{told:?}");
    // And it can be made after all, once.
    let paid = a.ok("pay", json!({"to": to})).await;
    assert_eq!((paid["state"].as_str(), shop.received()), (Some("settled"), 30), "{paid}");
}

#[tokio::test]
async fn a_token_whose_coins_another_device_took_is_refused_at_once_and_the_wallet_goes_on() {
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let (a, b) = two(&mint, &relay);
    fund(&a, 100).await;
    sync(&a).await;
    sync(&b).await;
    // B never hears of these: something is left that the mint must be asked about.
    fund(&a, 512).await;
    let paid = b.ok("pay", json!({"to": shop.invoice(60, "tea").unwrap().to_string()})).await;
    assert_eq!(paid["state"], "settled", "{paid}");
    a.refused("send_token", json!({"amount_sats": 530}), "mint_refused").await;
    // Whoever waits for the mint here waits for nobody.
    a.ok("send_token", json!({"amount_sats": 300})).await;
}
