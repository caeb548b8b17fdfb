//! The keys in wallet events (kind 17375): none is lost, whatever other programs write and
//! whichever relay is away.

use nutpurse::testing::nostr::nutzap_key::NutzapKey;
use nutpurse::testing::nostr::wallet_event::{self, WalletEvent};
use nutpurse::testing::nostr::{Event, Identity};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{Moment, Proxy, Relay, Rule};

use super::about::{keys, newest};
use super::by_hand::{Press, agreed, me, nothing_waits, put, token};
use super::hostile::{incomes, listed_key, lock, scene};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Child, Home, Settings, fund, mint};

/// The newest event of a kind that a client has sent, taken or not.
fn sent(relay: &Relay, kind: u64) -> Event {
    let heard = String::from_utf8(relay.heard()).unwrap();
    let events = heard
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line[0] == "EVENT");
    Event::read(
        &events
            .map(|line| line[1].clone())
            .rfind(|event| event["kind"] == kind)
            .unwrap()
            .to_string(),
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_read_is_stored_before_its_relay_is_written() {
    let (_lightning, mint) = mint().await;
    let (relay, proxy) = (Relay::start().await.unwrap(), Proxy::start(&mint.url()).await.unwrap());
    let agent = Agent::with_nsec(
        Home::new(&Settings::at([proxy.url()]).relays([relay.url()])).unwrap(),
        KEY,
    );
    // What the wallet says waits: the relay does not take it.
    relay.rule(|rule| rule.refuse_kind = Some(17_375));
    sync(&agent).await;
    let ours = sent(&relay, 17_375);
    let home = agent.close().await;
    relay.rule(|rule| rule.refuse_kind = None);
    // Another program has said something else before, and left a coin that the mint must be asked
    // about.
    let key = Identity::random().unwrap().secret_hex();
    let told = WalletEvent {
        privkeys: vec![key.clone()],
        mints: vec![proxy.url()],
        ..WalletEvent::default()
    };
    let theirs = wallet_event::write(&me(), &told, ours.created_at() - 50).unwrap();
    let coins = Press::of(&mint).bearer(1, 8).await;
    put(&relay, &[theirs.clone(), token(&me(), &proxy.url(), &coins, clock::now() - 9)]).await;
    let asked = proxy.fail(Rule::new("POST", "/v1/checkstate", Moment::Hang).every());
    let child = Child::alone(&home).await;
    child.call("get_balance", json!({})).await.unwrap();
    proxy.reached(asked).await;
    assert_eq!(newest(&relay, 17_375).id(), theirs.id(), "nothing has replaced it so far");
    child.killer()();
    child.gone().await;
    proxy.clear();
    // What waited goes now, and the relay forgets the other one.
    put(&relay, &[ours]).await;
    let agent = Agent::two_minutes_later(home);
    agreed(&agent).await;
    assert!(
        keys(&relay, 17_375).contains(&key.reveal().to_owned()),
        "the key that was read is lost"
    );
    assert_eq!(keys(&relay, 375).len(), 2, "a new key is backed up as well");
}

#[tokio::test]
async fn keys_outlive_wallet_events_that_do_not_have_them() {
    let scene = scene().await;
    let first: Value =
        scene.relay.taken().into_iter().find(|event| event["kind"] == 17_375).unwrap();
    let wallet = |at: u64, wallet: &WalletEvent| wallet_event::write(&me(), wallet, at).unwrap();
    // Another program begins anew: another key, no mint; then one that says nothing at all.
    let other = Identity::random().unwrap().secret_hex();
    let anew = WalletEvent { privkeys: vec![other.clone()], ..WalletEvent::default() };
    put(&scene.relay, &[wallet(clock::now() + 5, &anew)]).await;
    sync(&scene.receiver).await;
    put(&scene.relay, &[wallet(clock::now() + 20, &WalletEvent::default())]).await;
    sync(&scene.receiver).await;
    scene.relay.rule(|rule| rule.inject = vec![first.to_string()]);
    sync(&scene.receiver).await;
    // What is on the relay says it all again.
    let newest = scene.relay.taken().into_iter().rfind(|event| event["kind"] == 17_375).unwrap();
    let read = wallet_event::read(&me(), &Event::read(&newest.to_string()).unwrap()).unwrap();
    assert_eq!((read.privkeys.len(), read.mints.len()), (2, 1), "{read:?}");
    assert!(read.privkeys.contains(&other));
    // To either key nutzaps come in, here and on a device that knows only relays.
    let other = NutzapKey::from_secret(&other).unwrap().public_compressed();
    let coins =
        scene.locked(&[(16, scene.good_lock()), (8, lock("P2PK", &other, &json!([])))]).await;
    scene.shows(&scene.nutzap(&coins[..1])).await;
    assert_eq!(scene.incomes().await, vec![(15, 1)]);
    sync(&scene.receiver).await;
    let late = scene.nutzap(&coins[1..]);
    scene.receiver.close().await;
    let second = device(&scene.mint, &[scene.relay.url()], KEY);
    put(&scene.relay, &[late]).await;
    sync(&second).await;
    sync(&second).await;
    assert_eq!((spendable(&second).await, incomes(&second).await), (72, vec![(7, 1)]));
    assert_eq!(spendable(&second).await, scene.mint.auditor().outstanding().unwrap());
}

#[tokio::test]
async fn nothing_is_said_of_the_wallet_before_every_relay_was_read() {
    let (_lightning, mint) = mint().await;
    let (one, two) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    // Another device's key is on the relay that is away.
    let key = Identity::random().unwrap().secret_hex();
    let told = WalletEvent {
        privkeys: vec![key.clone()],
        mints: vec![mint.url()],
        ..WalletEvent::default()
    };
    put(&two, &[wallet_event::write(&me(), &told, clock::now() - 100).unwrap()]).await;
    two.go_down().await.unwrap();
    let agent = device(&mint, &[one.url(), two.url()], KEY);
    fund(&agent, 20).await;
    for _ in 0..2 {
        sync(&agent).await;
    }
    let about = |relay: &Relay| {
        relay
            .taken()
            .iter()
            .filter(|event| [17_375, 375, 10_019].iter().any(|kind| event["kind"] == *kind))
            .count()
    };
    assert_eq!(about(&one), 0);
    two.come_up().await.unwrap();
    agreed(&agent).await;
    let read = |relay: &Relay| {
        let newest = relay.taken().into_iter().rfind(|event| event["kind"] == 17_375).unwrap();
        wallet_event::read(&me(), &Event::read(&newest.to_string()).unwrap()).unwrap()
    };
    assert_eq!((read(&one).privkeys, read(&two).privkeys), (vec![key.clone()], vec![key.clone()]));
    assert_eq!(listed_key(&one), NutzapKey::from_secret(&key).unwrap().public_x());
}

#[tokio::test]
async fn a_key_that_another_program_left_on_a_relay_that_was_away_is_not_written_over() {
    let (_lightning, mint) = mint().await;
    let (_other_lightning, more) = crate::world::mint().await;
    let (one, two) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let agent = device(&mint, &[one.url(), two.url()], KEY);
    agreed(&agent).await;
    let ours = listed_key(&one);
    let key = Identity::random().unwrap().secret_hex();
    let told = WalletEvent {
        privkeys: vec![key.clone()],
        mints: vec![mint.url()],
        ..WalletEvent::default()
    };
    put(&two, &[wallet_event::write(&me(), &told, clock::now() + 1).unwrap()]).await;
    two.go_down().await.unwrap();
    // The owner lists another mint meanwhile: the wallet says so where it can.
    let home = agent.close().await;
    home.set(&Settings::at([mint.url(), more.url()]).relays([one.url(), two.url()])).unwrap();
    let agent = Agent::two_minutes_later(home);
    sync(&agent).await;
    two.come_up().await.unwrap();
    agreed(&agent).await;
    for relay in [&one, &two] {
        let newest = relay
            .taken()
            .into_iter()
            .filter(|event| event["kind"] == 17_375)
            .max_by_key(|event| event["created_at"].as_u64())
            .unwrap();
        let read = wallet_event::read(&me(), &Event::read(&newest.to_string()).unwrap()).unwrap();
        assert!(
            read.privkeys.contains(&key) && read.privkeys.len() == 2 && read.mints.len() == 2,
            "{read:?}"
        );
        assert_eq!(listed_key(relay), ours);
    }
    nothing_waits(agent).await;
}
