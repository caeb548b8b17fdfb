//! Two devices of one wallet: what one does, the other sees; what both do at once loses nothing.

use serde_json::json;
use testbed::Relay;

use super::{spendable, sync, two};
use crate::world::{fund, mint, sats};

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
