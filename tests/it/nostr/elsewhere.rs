//! A Nostr key whose wallet may be elsewhere, or of mints that this one does not know: nothing is
//! written over it, and no second wallet is made.

use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::nostr::Identity;
use nutpurse::testing::nostr::nutzap_key::NutzapKey;
use nutpurse::testing::nostr::wallet_event::{self, WalletEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::Relay;

use super::about::{ELSEWHERE, count, keys, list, listed, opened};
use super::by_hand::{self, agreed, me, put};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Home, Settings, fund, mint};

#[tokio::test]
async fn a_key_whose_wallet_is_at_another_relay_gets_no_second_one() {
    let (_lightning, mint) = mint().await;
    let (ours, theirs) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let key = Identity::random().unwrap().secret_hex();
    let public = NutzapKey::from_secret(&key).unwrap().public_compressed();
    let told = WalletEvent {
        privkeys: vec![key.clone()],
        mints: vec![mint.url()],
        ..WalletEvent::default()
    };
    let wallet = wallet_event::write(&me(), &told, clock::now() - 100).unwrap();
    put(
        &theirs,
        &[wallet, list(&[["relay", theirs.url()], ["mint", &mint.url()], ["pubkey", &public]], 0)],
    )
    .await;
    put(&ours, &[by_hand::event(&me(), 10_002, &[&["r", theirs.url()]], "")]).await;
    let settings = Settings::at([mint.url()]).relays([ours.url()]).allow([theirs.url()]);
    let agent = Agent::with_nsec(Home::new(&settings).unwrap(), KEY);
    fund(&agent, 20).await;
    for _ in 0..2 {
        let told = sync(&agent).await;
        let next = told["next_step"].as_str().unwrap_or_default();
        assert!(
            told["state"] == "read_only"
                && next.contains(theirs.url())
                && next.contains("relays add"),
            "{told}"
        );
    }
    assert_eq!(
        (count(&ours, &[17_375, 375, 10_019]), count(&theirs, &[17_375, 375, 10_019])),
        (0, 2)
    );
    let agent = opened(agent.close().await, &[&mint], &[&ours, &theirs], "").await;
    let told = agreed(&agent).await;
    assert_eq!(told.get("next_step"), None, "{told}");
    for relay in [&ours, &theirs] {
        assert_eq!(
            (keys(relay, 17_375), listed(relay, "pubkey")),
            (vec![key.reveal().to_owned()], vec![public.clone()])
        );
    }
}

#[tokio::test]
async fn a_key_that_publishes_elsewhere_and_has_no_wallet_there_gets_its_first_one() {
    let (_lightning, mint) = mint().await;
    let (ours, theirs) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let settings = Settings::at([mint.url()]).relays([ours.url()]).allow([theirs.url()]);
    let home = || Home::new(&settings).unwrap();
    // It has to be asked: what does not answer may hold one.
    put(&ours, &[by_hand::event(&me(), 10_002, &[&["r", theirs.url()]], "")]).await;
    theirs.go_down().await.unwrap();
    let agent = Agent::with_nsec(home(), KEY);
    assert_eq!(sync(&agent).await["state"], "read_only");
    theirs.come_up().await.unwrap();
    agreed(&agent).await;
    assert_eq!(
        (count(&ours, &[17_375, 375, 10_019]), count(&theirs, &[17_375, 375, 10_019])),
        (3, 0)
    );
}

#[tokio::test]
async fn a_public_list_that_names_another_relay_is_not_written_over() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    put(
        &relay,
        &[list(&[["relay", ELSEWHERE], ["mint", &mint.url()], ["pubkey", &"ab".repeat(32)]], 0)],
    )
    .await;
    let agent = device(&mint, &[relay.url()], KEY);
    let told = sync(&agent).await;
    assert!(
        told["state"] == "read_only" && told["next_step"].as_str().unwrap().contains(ELSEWHERE),
        "{told}"
    );
    assert_eq!(count(&relay, &[17_375, 375, 10_019]), 1);
}

#[tokio::test]
async fn a_play_wallet_writes_nothing_over_a_wallet_of_mints_it_does_not_know() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let told = WalletEvent {
        privkeys: vec![Secret::new(KEY)],
        mints: vec!["https://mint.example".to_owned()],
        ..WalletEvent::default()
    };
    put(&relay, &[wallet_event::write(&me(), &told, clock::now() - 100).unwrap()]).await;
    let agent = Agent::with_nsec(
        Home::new(&Settings::at([mint.url()]).relays([relay.url()])).unwrap(),
        KEY,
    );
    fund(&agent, 20).await;
    let mut said = Value::Null;
    for _ in 0..2 {
        said = sync(&agent).await;
    }
    assert_eq!(
        (said["state"].as_str(), &said["relays"][0]["unpublished"]),
        (Some("read_only"), &json!(0)),
        "{said}"
    );
    let written = |kind: u64| relay.taken().iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((written(17_375), written(375), written(10_019)), (1, 0, 0));
    assert_eq!(spendable(&agent).await, 20);
}
