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
async fn a_payment_whose_coins_another_device_took_before_it_was_sent_ends_as_failed() {
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let (relay, proxy) = (Relay::start().await.unwrap(), Proxy::start(&mint.url()).await.unwrap());
    let device = || Agent::with_nsec(Home::with_relays(&[(&proxy.url(), true)], &[relay.url()], &[], ""), KEY);
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
    sync(&a).await;
    sync(&b).await;
    let left = mint.auditor().outstanding().unwrap();
    assert_eq!((spendable(&a).await, spendable(&b).await), (left, left));
    assert_eq!((holdings(&a).await.pending, shop.received()), (0, 60));
}
