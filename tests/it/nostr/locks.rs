//! Locks that keys of ours open, now or later, and locks that they do not: of nutzaps, tokens, and
//! coins in events of other programs.

use cdk_common::nuts::{CurrencyUnit, Proof, Token};
use cdk_common::secret::Secret as CoinSecret;
use nutpurse::testing::nostr::nutzap_key::NutzapKey;
use nutpurse::testing::nostr::wallet_event::{self, WalletEvent};
use nutpurse::testing::nostr::{Event, Identity};
use nutpurse::testing::wallet::core::clock;
use serde_json::json;

use super::by_hand::{me, put, token};
use super::hostile::{lock, scene};
use super::{spendable, sync};
use crate::world::{Agent, has, routes};

#[tokio::test]
async fn a_nutzap_without_a_proof_is_settled_by_its_mint() {
    let scene = scene().await;
    let mut coins = scene
        .locked(&[(16, scene.good_lock()), (8, scene.good_lock()), (2, scene.good_lock())])
        .await;
    coins.iter_mut().for_each(|coin| coin.dleq = None);
    let asked = scene.shows(&scene.nutzap(&coins[..1])).await;
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (65, vec![(15, 1)]),
        "{asked:?}"
    );
    // Made up in the same way: each is asked about once, and only so many in one round.
    let made_up = |_| {
        scene.nutzap(&[Proof { secret: CoinSecret::new(scene.good_lock()), ..coins[2].clone() }])
    };
    let junk: Vec<Event> = (0..20).map(made_up).collect();
    put(&scene.relay, &junk[1..]).await;
    let swaps = |asked: Vec<String>| asked.iter().filter(|route| route.contains("swap")).count();
    let mut rounds = vec![swaps(scene.shows(&junk[0]).await)];
    for _ in 0..4 {
        sync(&scene.receiver).await;
        rounds.push(swaps(routes(&scene.mint)));
    }
    assert_eq!(rounds, [8, 8, 4, 0, 0]);
    // Those of strangers are no reason to leave a good one, nor to tell of what came to nothing.
    scene.shows(&scene.nutzap(&coins[1..2])).await;
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (72, vec![(7, 1), (15, 1)])
    );
}

#[tokio::test]
async fn a_nutzap_locked_to_our_odd_key_comes_in() {
    let scene = scene().await;
    let (x, other) = (scene.key[2..].to_owned(), format!("02{}", scene.stranger.public_key()));
    let later = json!([["locktime", "9999999999"], ["refund", other]]);
    let locks = [
        (32, lock("P2PK", &format!("03{x}"), &json!([]))),
        (16, lock("P2PK", &scene.key, &later)),
        (8, lock("P2PK", &scene.key, &json!([["locktime", "1"], ["refund", other]]))),
        (4, scene.good_lock()),
    ];
    let coins = scene.locked(&locks).await;
    scene.shows(&scene.nutzap(&coins[..1])).await;
    assert_eq!(scene.incomes().await, [(31, 1)]);
    // One that opens for its sender later is ours until then.
    scene.shows(&scene.nutzap(&coins[1..2])).await;
    assert_eq!(scene.incomes().await, [(15, 1), (31, 1)]);
    // One that is open to its sender already is left, and what stands beside it is not.
    scene.shows(&scene.nutzap(&coins[2..])).await;
    assert_eq!(
        (spendable(&scene.receiver).await, scene.incomes().await),
        (99, vec![(3, 1), (15, 1), (31, 1)])
    );
}

#[tokio::test]
async fn a_key_that_is_learned_later_opens_what_waited_for_it() {
    let scene = scene().await;
    let secret = Identity::random().unwrap().secret_hex();
    let key = NutzapKey::from_secret(&secret).unwrap().public_compressed();
    let coins = scene.locked(&[(16, lock("P2PK", &key, &json!([])))]).await;
    for _ in 0..2 {
        assert_eq!(scene.shows(&scene.nutzap(&coins)).await, Vec::<String>::new());
    }
    assert!(scene.incomes().await.is_empty());
    let told = WalletEvent {
        privkeys: vec![secret],
        mints: vec![scene.mint.url()],
        ..WalletEvent::default()
    };
    put(&scene.relay, &[wallet_event::write(&me(), &told, clock::now() + 10).unwrap()]).await;
    sync(&scene.receiver).await;
    sync(&scene.receiver).await;
    assert_eq!((spendable(&scene.receiver).await, scene.incomes().await), (65, vec![(15, 1)]));
}

#[tokio::test]
async fn a_token_locked_to_a_key_of_ours_comes_in() {
    let scene = scene().await;
    let other = NutzapKey::from_secret(&Identity::random().unwrap().secret_hex())
        .unwrap()
        .public_compressed();
    let coins = scene
        .locked(&[
            (16, scene.good_lock()),
            (4, scene.good_lock()),
            (8, lock("P2PK", &other, &json!([]))),
        ])
        .await;
    let of = |coins: &[Proof]| {
        Token::new(scene.mint.url().parse().unwrap(), coins.to_vec(), None, CurrencyUnit::Sat)
            .to_string()
    };
    let received = scene.receiver.ok("receive_token", json!({"token": of(&coins[..2])})).await;
    has(&received, json!({"state": "received", "received_sats": 19}));
    routes(&scene.mint);
    scene
        .receiver
        .refused("receive_token", json!({"token": of(&coins[2..])}), "token_locked")
        .await;
    assert_eq!((routes(&scene.mint), spendable(&scene.receiver).await), (vec![], 69));
    // The Nostr key itself opens too, in either form.
    let to_me = lock("P2PK", &format!("03{}", me().public_key()), &json!([]));
    let coins = scene.locked(&[(32, to_me)]).await;
    scene.receiver.ok("receive_token", json!({"token": of(&coins)})).await;
    assert_eq!(spendable(&scene.receiver).await, 100);
}

#[tokio::test]
async fn locked_coins_in_events_of_other_programs_spoil_no_payment() {
    let scene = scene().await;
    let other = NutzapKey::from_secret(&Identity::random().unwrap().secret_hex())
        .unwrap()
        .public_compressed();
    let locked =
        scene.locked(&[(64, lock("P2PK", &other, &json!([]))), (16, scene.good_lock())]).await;
    let bearer = scene.press.bearer(2, 32).await;
    let both = [bearer.clone(), locked.clone()].concat();
    put(&scene.relay, &[token(&me(), &scene.mint.url(), &both, clock::now())]).await;
    sync(&scene.receiver).await;
    // Ours are 50, what other programs hold for whoever has it 64, and 16 that a key of ours opens.
    assert_eq!(spendable(&scene.receiver).await, 130);
    let sent = scene.receiver.ok("send_token", json!({"amount_sats": 120})).await;
    assert_eq!(sent["state"], "settled", "{sent}");
    // What nobody here can open stays on the relay, and does so after a restart.
    let receiver = Agent::reopen(scene.receiver.close().await);
    sync(&receiver).await;
    assert!(spendable(&receiver).await < 10);
    let secret = locked[0].secret.to_string();
    let live = super::by_hand::live(&scene.relay);
    let shown = scene.relay.taken().iter().any(|event| {
        let event = Event::read(&event.to_string()).unwrap();
        let read = nutpurse::testing::nostr::token_event::read(&me(), &event);
        live.contains(&event.id().to_owned())
            && read.is_ok_and(|read| {
                read.proofs.iter().any(|proof| proof.secret.to_string() == secret)
            })
    });
    assert!(shown, "a coin that another program may open was taken off the relay");
}
