//! Coins on relays, under our own key, that the mint never made: by a careless program, or by
//! somebody who has the key.

use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::nostr::{Ack, Event, Identity, Relays, token_event};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::Relay;

use super::{KEY, device, spendable, sync, two};
use crate::world::{fund, mint};

async fn post(relay: &Relay, event: &Event) {
    let web = Web::new(&NetworkSettings {
        allow: vec![relay.url().replace("ws://", "http://")],
        proxy: None,
    })
    .unwrap();
    let relays = Relays::new(std::sync::Arc::new(web), None, clock::now);
    assert_eq!(
        relays
            .publish(relay.url(), event.json(), event.id(), std::time::Duration::from_secs(5))
            .await,
        Ack::Stored
    );
}

#[tokio::test]
async fn one_bad_coin_spoils_neither_its_siblings_nor_the_balance() {
    let (lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let (a, b) = two(&mint, &relay);
    fund(&a, 127).await;
    sync(&a).await;
    let us = Identity::from_nsec(&Secret::new(KEY)).unwrap();
    let genuine: Vec<Event> = relay
        .taken()
        .iter()
        .filter(|event| event["kind"] == 7375)
        .map(|event| Event::read(&event.to_string()).unwrap())
        .collect();
    let [genuine] = genuine.try_into().unwrap();
    let mut proofs = token_event::read(&us, &genuine).unwrap().proofs;
    let bad = |changes: &[(&str, Value)]| {
        let mut coin = json!(proofs[0]);
        coin.as_object_mut().unwrap().remove("dleq");
        coin["secret"] = json!(Identity::random().unwrap().public_key());
        changes.iter().for_each(|(field, value)| coin[*field] = value.clone());
        serde_json::from_value(coin).unwrap()
    };
    // Of no keyset of the mint, of an amount without a key: the mint calls these unspent too, and
    // they are not believed.
    let unmade =
        [bad(&[("id", json!("00ffffffffffffff"))]), bad(&[("amount", json!(1_u64 << 62))])];
    let unlikely =
        token_event::write(&us, &mint.url(), "sat", &unmade, &[], genuine.created_at()).unwrap();
    post(&relay, &unlikely).await;
    sync(&b).await;
    assert_eq!((spendable(&a).await, spendable(&b).await), (127, 127));
    // Well formed, and among ours: what is good is taken all the same.
    let spoiled = bad(&[]);
    proofs.insert(3, spoiled);
    let mixed = token_event::write(
        &us,
        &mint.url(),
        "sat",
        &proofs,
        &[genuine.id().to_owned()],
        genuine.created_at() + 1,
    )
    .unwrap();
    post(&relay, &mixed).await;
    let c = device(&mint, &[relay.url()], KEY);
    sync(&c).await;
    let paid = c
        .ok(
            "pay",
            json!({"to": lightning.payee("shop").invoice(100, "all of it").unwrap().to_string()}),
        )
        .await;
    assert_eq!(paid["state"], "settled", "{paid}");
}
