//! What relays show that they should not, or not all of what they should; and what other programs
//! of the same key write and delete.

use nutpurse::testing::nostr::{Identity, token_event};
use nutpurse::testing::wallet::core::clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use testbed::Relay;

use super::by_hand::{
    self, Press, agreed, delete, live, me, new_device_sees_all, nothing_waits, put, token,
};
use super::trouble::{relay_of, scene};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, mint};

#[tokio::test]
async fn a_relay_that_shows_five_events_at_a_time_is_read_to_its_end() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let coins = Press::of(&mint).bearer(23, 4).await;
    let now = clock::now() - 1_000;
    let events: Vec<_> = coins
        .iter()
        .zip(0..)
        .map(|(coin, n)| token(&me(), &mint.url(), std::slice::from_ref(coin), now + n / 3))
        .collect();
    put(&relay, &events).await;
    relay.rule(|rule| rule.show_at_most = Some(5));
    let agent = device(&mint, &[relay.url()], KEY);
    let told = sync(&agent).await;
    assert_eq!((spendable(&agent).await, told["state"].as_str()), (92, Some("synced")), "{told}");
    // Nine in one second cannot be shown by it: what was not seen is not called seen.
    let crowd: Vec<_> = Press::of(&mint)
        .bearer(9, 1)
        .await
        .iter()
        .map(|coin| token(&me(), &mint.url(), std::slice::from_ref(coin), now + 500))
        .collect();
    put(&relay, &crowd).await;
    let other = device(&mint, &[relay.url()], KEY);
    let told = sync(&other).await;
    assert_eq!(
        (told["state"].as_str(), relay_of(&told, 0).0),
        (Some("partial"), "partial"),
        "{told}"
    );
    assert!(spendable(&other).await < 101);
    relay.rule(|rule| rule.show_at_most = None);
    agreed(&other).await;
    assert_eq!(spendable(&other).await, 101);
    new_device_sees_all(&mint, &[relay.url()]).await;
}

#[tokio::test]
async fn old_and_deleted_events_shown_again_in_any_order_bring_nothing_back() {
    let scene = scene(300).await;
    for sats in [5, 16, 27, 38] {
        sync(&scene.agent).await;
        scene.pay(sats).await;
    }
    agreed(&scene.agent).await;
    let held = live(&scene.relay);
    let mut old: Vec<String> = scene.relay.taken().iter().map(ToString::to_string).collect();
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..3 {
        old.shuffle(&mut random);
        scene.relay.rule(|rule| (rule.resurrect, rule.inject) = (true, old.clone()));
        new_device_sees_all(&scene.mint, &[scene.relay.url()]).await;
        sync(&scene.agent).await;
    }
    assert_eq!(spendable(&scene.agent).await, scene.mint.auditor().outstanding().unwrap());
    assert_eq!(live(&scene.relay), held, "nothing was written for it");
    // Without the deletions: whoever comes new has the mint's word.
    let tokens: Vec<String> =
        old.iter().filter(|text| !text.contains("\"kind\":5,")).cloned().collect();
    scene.relay.rule(|rule| (rule.resurrect, rule.inject) = (false, tokens));
    new_device_sees_all(&scene.mint, &[scene.relay.url()]).await;
    sync(&scene.agent).await;
    scene.relay.rule(|rule| rule.inject = Vec::new());
    scene.ends_well().await;
}

#[tokio::test]
async fn what_is_forged_foreign_or_sealed_to_others_counts_for_nothing_and_is_left_alone() {
    let scene = scene(200).await;
    sync(&scene.agent).await;
    let coins = Press::of(&scene.mint).bearer(4, 64).await;
    let stranger = Identity::random().unwrap();
    let url = scene.mint.url();
    let theirs = token(&stranger, &url, &coins, clock::now());
    // Our name and kind over a stranger's content; our signature over another content; a stranger's
    // order to delete what is ours.
    let mut forged: Value =
        serde_json::from_str(token(&me(), &url, &coins, clock::now()).json()).unwrap();
    forged["content"] = json!(me().encrypt("{}").unwrap());
    let mut claimed: Value = serde_json::from_str(theirs.json()).unwrap();
    claimed["pubkey"] = json!(me().public_key());
    let held = live(&scene.relay);
    let order = by_hand::event(&stranger, 5, &[&["e", &held[0]], &["k", "7375"]], "");
    scene.relay.rule(|rule| {
        rule.inject = vec![
            forged.to_string(),
            claimed.to_string(),
            theirs.json().to_owned(),
            order.json().to_owned(),
            "{}".to_owned(),
        ];
    });
    // And of our own: what no key opens, what is no token, what is of a mint that nobody has
    // listed.
    let sealed = by_hand::event(&me(), 7375, &[], &stranger.encrypt("{}").unwrap());
    let odd = by_hand::event(&me(), 7375, &[], &me().encrypt("[\"no token\"]").unwrap());
    let elsewhere = token(&me(), "https://mint.example", &coins, clock::now());
    put(&scene.relay, &[sealed.clone(), odd.clone(), elsewhere.clone()]).await;
    for _ in 0..2 {
        let told = sync(&scene.agent).await;
        assert_eq!(
            (spendable(&scene.agent).await, told["state"].as_str()),
            (200, Some("synced")),
            "{told}"
        );
    }
    let fresh = device(&scene.mint, &[scene.relay.url()], KEY);
    sync(&fresh).await;
    assert_eq!(spendable(&fresh).await, 200);
    let shown = live(&scene.relay);
    assert!(
        [&sealed, &odd, &elsewhere].iter().all(|event| shown.iter().any(|id| id == event.id())),
        "they are left alone"
    );
}

#[tokio::test]
async fn a_deletion_by_a_careless_program_costs_nothing_and_is_undone() {
    let scene = scene(150).await;
    sync(&scene.agent).await;
    let witness = device(&scene.mint, &[scene.relay.url()], KEY);
    sync(&witness).await;
    let held = live(&scene.relay);
    put(&scene.relay, &[delete(&held)]).await;
    assert!(live(&scene.relay).is_empty());
    // The one whose coins they are tells of them again.
    agreed(&scene.agent).await;
    assert!(!live(&scene.relay).is_empty());
    new_device_sees_all(&scene.mint, &[scene.relay.url()]).await;
    // Whoever has only seen them, too.
    let home = scene.agent.close().await;
    let held = live(&scene.relay);
    put(&scene.relay, &[delete(&held)]).await;
    sync(&witness).await;
    sync(&witness).await;
    assert_eq!(spendable(&witness).await, 150);
    new_device_sees_all(&scene.mint, &[scene.relay.url()]).await;
    let agent = Agent::reopen(home);
    sync(&agent).await;
    assert_eq!((spendable(&agent).await, spendable(&witness).await), (150, 150));
    nothing_waits(witness).await;
}

#[tokio::test]
async fn the_events_of_another_program_are_counted_once_whatever_the_form_of_the_mints_address() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let coins = Press::of(&mint).bearer(3, 8).await;
    let proofs: Vec<Value> =
        coins.iter().map(|coin| json!({"id": coin.keyset_id, "amount": coin.amount, "secret": coin.secret, "C": coin.c})).collect();
    let url = mint.url();
    let forms = [url.clone(), format!("{url}/"), format!("{url}//"), url.replace("http", "HTTP")];
    assert!(forms.iter().all(|form| by_hand::is_address(form)));
    let events: Vec<_> = forms
        .iter()
        .map(|form| {
            by_hand::event(
                &me(),
                token_event::KIND,
                &[],
                &me().encrypt(&json!({"mint": form, "proofs": proofs}).to_string()).unwrap(),
            )
        })
        .collect();
    put(&relay, &events).await;
    let agent = device(&mint, &[relay.url()], KEY);
    agreed(&agent).await;
    assert_eq!(spendable(&agent).await, 24);
    let balance = agent.ok("get_balance", json!({})).await;
    assert_eq!(balance["mints"].as_array().unwrap().len(), 1, "{balance}");
    let lightning_paid = agent.ok("send_token", json!({"amount_sats": 20})).await;
    assert_eq!(lightning_paid["state"], "settled", "{lightning_paid}");
    agreed(&agent).await;
    // The coins that are in the token's text are nobody's any more here.
    let fresh = device(&mint, &[relay.url()], KEY);
    sync(&fresh).await;
    assert_eq!(spendable(&fresh).await, spendable(&agent).await);
}
