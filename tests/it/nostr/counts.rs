//! What being on relays costs: requests and events are counted, not timed.

use serde_json::{Value, json};
use testbed::Relay;

use super::{KEY, device, sync};
use crate::world::{fund, has, mint, routes};

fn of_kind(relay: &Relay, kind: u16) -> usize {
    relay.taken().iter().filter(|event| event["kind"] == kind).count()
}

#[tokio::test]
async fn a_payment_asks_its_mint_no_more_and_publishes_three_events() {
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    fund(&agent, 1_000).await;
    agent.ok("pay", json!({"to": shop.invoice(100, "warm").unwrap().to_string()})).await;
    sync(&agent).await;
    let before = [7375, 5, 7376].map(|kind| of_kind(&relay, kind));
    routes(&mint);
    let heard = relay.heard().len();
    agent.ok("pay", json!({"to": shop.invoice(100, "counted").unwrap().to_string()})).await;
    assert_eq!(routes(&mint), ["POST /v1/melt/quote/bolt11", "POST /v1/melt/bolt11"]);
    // The sync publishes what the background has not published by now, and reads.
    let told = sync(&agent).await;
    assert_eq!(told["state"], "synced", "{told}");
    let after = [7375, 5, 7376].map(|kind| of_kind(&relay, kind));
    let new: Vec<usize> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    assert_eq!(new, [1, 1, 1], "one event of coins, one deletion, one line of history");
    let events = relay.taken();
    let bytes: usize = events.iter().rev().take(3).map(|event| event.to_string().len()).sum();
    println!(
        "published for a payment: 3 events, {bytes} bytes; all that the relay heard, the sync's questions included: {} bytes",
        relay.heard().len() - heard
    );
    assert_eq!(routes(&mint), Vec::<String>::new(), "a sync with nothing in doubt asks no mint");
}

#[tokio::test]
async fn a_wallet_without_relays_publishes_nothing_and_says_so() {
    let (_lightning, mint) = mint().await;
    let agent = crate::world::funded(&mint, 10).await;
    let told = agent.ok("sync", json!({})).await;
    has(&told, json!({"state": "off", "relays": []}));
    assert_eq!(agent.ok("get_balance", json!({})).await.get("nostr"), None::<&Value>);
    let to = "npub1sn0wdenkukak0d9dfczzeacvhkrgz92ak56egt7vdgzn8pv2wfqqhrjdv9";
    agent.refused("zap", json!({"to": to, "amount_sats": 1}), "nostr_off").await;
}
