//! A device that was away for long: it catches up with what the others did, and brings nothing
//! back.

use serde_json::json;
use testbed::Relay;

use super::by_hand::{agreed, live, never_hidden, new_device_sees_all, nothing_waits};
use super::{spendable, sync, two};
use crate::world::{Agent, fund, mint, routes};

#[tokio::test]
async fn a_device_that_was_away_for_sixty_payments_catches_up_in_two_syncs() {
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let (a, b) = two(&mint, &relay);
    fund(&a, 1_000).await;
    sync(&a).await;
    sync(&b).await;
    // B holds some of its own by the time it leaves.
    b.ok("pay", json!({"to": shop.invoice(3, "first").unwrap().to_string()})).await;
    sync(&b).await;
    let away = b.close().await;
    sync(&a).await;
    for n in 0..60_u64 {
        let paid = a
            .ok("pay", json!({"to": shop.invoice(1 + n % 9, &format!("{n}")).unwrap().to_string()}))
            .await;
        assert_eq!(paid["state"], "settled", "{paid}");
        if n % 4 == 0 {
            sync(&a).await;
        }
    }
    agreed(&a).await;
    let (owed, held) = (mint.auditor().outstanding().unwrap(), live(&relay));
    let b = Agent::reopen(away);
    routes(&mint);
    let frames = relay.frames();
    sync(&b).await;
    let told = sync(&b).await;
    println!(
        "{} events were written, {} are live; two syncs: {} messages, {} requests to the mint",
        relay.taken().len(),
        held.len(),
        relay.frames() - frames,
        routes(&mint).len()
    );
    assert_eq!((spendable(&b).await, told["state"].as_str()), (owed, Some("synced")), "{told}");
    let told = sync(&a).await;
    assert_eq!(
        (spendable(&a).await, &told["pulled_sats"], &told["dropped_sats"]),
        (owed, &json!(0), &json!(0)),
        "{told}"
    );
    new_device_sees_all(&mint, &[relay.url()]).await;
    never_hidden(&relay, &mint);
    nothing_waits(a).await;
    nothing_waits(b).await;
}
