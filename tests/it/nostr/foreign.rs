//! Coins that other devices or programs have left on relays: their mint is asked about them again
//! before they count, and those that were perhaps handed out are the last to be claimed.

use nutpurse::testing::nostr::token_event;
use nutpurse::testing::wallet::core::clock;
use serde_json::json;
use testbed::TestMint;

use super::by_hand::{Press, delete, live, me, put, token};
use super::trouble::{self, scene};
use super::{spendable, sync};
use crate::world::{Agent, has, has_for};

#[tokio::test]
async fn coins_that_no_relay_shows_any_more_are_asked_about_before_they_are_brought_back() {
    let scene = scene(50).await;
    sync(&scene.agent).await;
    let coins = Press::of(&scene.mint).bearer(4, 8).await;
    let (spent, good) = coins.split_at(2);
    let told = [
        token(&me(), &scene.mint.url(), spent, clock::now() - 9),
        token(&me(), &scene.mint.url(), good, clock::now() - 8),
    ];
    put(&scene.relay, &told).await;
    sync(&scene.agent).await;
    assert_eq!(spendable(&scene.agent).await, 50 + 32);
    // Another program spends two and deletes their event without a trace; the other event is lost.
    spend(&scene.mint, spent).await;
    let ids = [told[0].id().to_owned(), told[1].id().to_owned()];
    scene.relay.rule(|rule| rule.hide_ids = ids.to_vec());
    let before = scene.relay.heard().len();
    let said = sync(&scene.agent).await;
    assert_eq!(
        (&said["dropped_sats"], spendable(&scene.agent).await),
        (&json!(16), 50 + 16),
        "{said}"
    );
    let heard = String::from_utf8(scene.relay.heard().split_off(before)).unwrap();
    let offered = |id: &str| {
        heard.lines().any(|line| {
            line.starts_with("[\"EVENT\"") && line.contains(&format!("\"id\":\"{id}\""))
        })
    };
    assert!(
        !offered(&ids[0]) && offered(&ids[1]),
        "what is good is brought back, what is spent is not"
    );
}

#[tokio::test]
async fn coins_of_another_device_are_asked_about_again_after_a_day() {
    let scene = scene(50).await;
    let coins = Press::of(&scene.mint).bearer(2, 8).await;
    put(&scene.relay, &[token(&me(), &scene.mint.url(), &coins, clock::now() - 9)]).await;
    sync(&scene.agent).await;
    spend(&scene.mint, &coins).await;
    let said = sync(&scene.agent).await;
    assert_eq!((&said["dropped_sats"], spendable(&scene.agent).await), (&json!(0), 66), "{said}");
    let agent = Agent::a_day_later(scene.agent.close().await);
    let said = sync(&agent).await;
    assert_eq!((&said["dropped_sats"], spendable(&agent).await), (&json!(16), 50), "{said}");
}

/// A wallet of 66 sats, and two coins beside them, together 16, that another program has perhaps
/// handed out.
async fn with_coins_left_out() -> (trouble::Scene, Vec<cdk_common::nuts::Proof>) {
    let scene = scene(50).await;
    sync(&scene.agent).await;
    let coins = Press::of(&scene.mint).bearer(4, 8).await;
    let (handed_out, kept) = coins.split_at(2);
    let whole = token(&me(), &scene.mint.url(), &coins, clock::now() - 9);
    put(&scene.relay, std::slice::from_ref(&whole)).await;
    sync(&scene.agent).await;
    assert_eq!(spendable(&scene.agent).await, 50 + 32);
    let gone = [whole.id().to_owned()];
    let rest =
        token_event::write(&me(), &scene.mint.url(), "sat", kept, &gone, clock::now()).unwrap();
    put(&scene.relay, &[rest, delete(&gone)]).await;
    sync(&scene.agent).await;
    (scene, handed_out.to_vec())
}

#[tokio::test]
async fn coins_that_another_program_has_perhaps_handed_out_are_the_last_to_be_claimed() {
    let (scene, handed_out) = with_coins_left_out().await;
    let balance = scene.agent.ok("get_balance", json!({})).await;
    has(&balance, json!({"spendable_sats": 66, "perhaps_handed_out_sats": 16}));
    // They are not put on relays again, and whoever was handed them can take them.
    sync(&scene.agent).await;
    let shown = live(&scene.relay).len();
    scene.pay(55).await;
    spend(&scene.mint, &handed_out[..1]).await;
    println!("{shown} live events");
    // Nothing else is left: the one that nobody took is claimed.
    let balance = scene.agent.ok("get_balance", json!({})).await;
    let left = balance["spendable_sats"].as_u64().unwrap();
    assert!(left < 12, "{balance}");
    scene.pay(left).await;
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert!(balance.get("perhaps_handed_out_sats").is_none(), "{balance}");
}

#[tokio::test]
async fn coins_that_are_left_out_count_nowhere_and_whoever_lacks_them_is_told() {
    let (scene, _) = with_coins_left_out().await;
    let mints = scene.agent.ok("list_mints", json!({})).await;
    let mint = &mints["mints"][0];
    has_for(&mints, mint, json!({"spendable_sats": 66, "perhaps_handed_out_sats": 16}));
    let invoice = scene.shop.invoice(75, "dinner").unwrap().to_string();
    let estimate = scene.agent.ok("estimate", json!({"to": invoice})).await;
    assert_eq!(estimate["code"], "insufficient_funds", "{estimate}");
    for (tool, arguments) in
        [("pay", json!({"to": invoice})), ("send_token", json!({"amount_sats": 75}))]
    {
        let error = scene.agent.refused(tool, arguments, "insufficient_funds").await;
        let told = (&error.details["spendable_sats"], &error.details["perhaps_handed_out_sats"]);
        assert_eq!(told, (&json!(66), &json!(16)), "{tool}: {error} {:?}", error.details);
        assert!(error.message.contains("may have sent"), "{tool}: {error}");
    }
    let sent = scene.agent.ok("send_token", json!({"amount_sats": 20})).await;
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert_eq!(sent["balance_sats"], balance["spendable_sats"], "{sent} {balance}");
    // Where nothing is left out, nothing is said of it.
    let error = trouble::scene(5)
        .await
        .agent
        .refused("send_token", json!({"amount_sats": 75}), "insufficient_funds")
        .await;
    assert!(
        !error.details.contains_key("perhaps_handed_out_sats")
            && !error.message.contains("may have sent"),
        "{error}"
    );
}

/// Another program takes these coins.
pub(super) async fn spend(mint: &TestMint, coins: &[cdk_common::nuts::Proof]) {
    let text = cdk_common::nuts::Token::new(
        mint.url().parse().unwrap(),
        coins.to_vec(),
        None,
        cdk_common::nuts::CurrencyUnit::Sat,
    );
    let taker = Agent::new([mint.url()]);
    taker.ok("receive_token", json!({"token": text.to_string()})).await;
}
