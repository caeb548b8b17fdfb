//! Two devices of one wallet: what one does, the other sees; what both do at once loses nothing.

use serde_json::json;
use testbed::{Moment, Proxy, Relay, Rule};

use super::{KEY, spendable, sync, two};
use crate::world::{Agent, Home, fund, holdings, mint, sats};

#[tokio::test]
async fn what_one_device_receives_the_other_sees_and_spends() {
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let (a, b) = two(&mint, &relay);
    fund(&a, 100).await;
    let told = sync(&a).await;
    assert_eq!((told["state"].as_str(), &told["relays"][0]["unpublished"]), (Some("synced"), &json!(0)), "{told}");
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
async fn a_payment_that_was_lost_and_whose_coins_another_device_took_ends_as_not_made() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let home = |more| Home::with_relays(&[(&proxy.url(), true)], &[relay.url()], &[], more);
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
