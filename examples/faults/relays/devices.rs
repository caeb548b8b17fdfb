//! One wallet on two devices that spend at once: the mint decides, who loses keeps what is left,
//! and both see the same soon after.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use serde_json::json;
use testbed::harness::{Client, Outcome, WIDE};
use testbed::must;
use testbed::{Moment, Rule};
use tokio::time::{Duration, sleep};

use super::ground::{Ground, at};
use crate::lost::restore;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// How often the mint answered that a coin was spent before.
fn lost_races(scene: &Scene) -> usize {
    scene.proxy.count(|exchange| at(&exchange.response, "/code") == 11_001)
}

/// How often the mint answered that it had signed the same before.
fn signed_before(scene: &Scene) -> usize {
    let is_it = |words: &str| {
        words.to_ascii_lowercase().contains("already signed")
            || words.to_ascii_lowercase().contains("already issued")
    };
    let said = |exchange: &testbed::Exchange| {
        at(&exchange.response, "/detail").as_str().is_some_and(is_it)
    };
    scene.proxy.count(|exchange| {
        matches!(at(&exchange.response, "/code").as_u64(), Some(10_002 | 11_003)) || said(exchange)
    })
}

/// Both pay until each has paid `rounds` times; each payment is paid once or clearly not. What was
/// answered, by word.
async fn both_pay(
    run: &Run,
    scene: &Scene,
    devices: [&Arc<Wallet>; 2],
    rounds: usize,
) -> Outcome<BTreeMap<String, usize>> {
    let mut chance = run.chance();
    let mut told = BTreeMap::new();
    for _ in 0..rounds {
        let mut plays = Vec::new();
        for device in devices {
            let (invoice, hash) = scene.invoice(chance.random_range(1..=20))?;
            let (wait, syncs) =
                (Duration::from_millis(chance.random_range(0..15)), chance.random_bool(0.25));
            plays.push(async move {
                sleep(wait).await;
                if syncs {
                    device.sync().await?;
                }
                let answer = device.told("pay", json!({"to": invoice})).await?;
                let word = answer.word().to_owned();
                if !answer.is_error {
                    scene.agrees(&device.ended_by_hash(&hash).await?, &hash)?;
                } else {
                    must!(
                        answer.text("money_moved") == "no" && scene.times_paid(&hash)? == 0,
                        "{answer}"
                    );
                }
                Outcome::Ok(word)
            });
        }
        for word in futures::future::join_all(plays).await {
            *told.entry(word?).or_default() += 1;
        }
    }
    Ok(told)
}

/// F-057: races that one must lose, with the loser held back at the mint's door; then many at
/// random.
pub(crate) async fn same_coins(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let scene = &ground.scene;
    let one = ground.ours(2_000).await?;
    let mut forced = 0;
    for turn in 0..run.pick(10, 2) {
        // A new device each time: it has nothing of its own, and spends what the first holds.
        let other = ground.device()?;
        other.sync().await?;
        let (slow, path, quick) = if turn % 2 == 0 {
            (&one, "/v1/melt/bolt11", &other)
        } else {
            (&other, "/v1/swap", &one)
        };
        let before = lost_races(scene);
        let rule = scene.proxy.fail(Rule::new("POST", path, Moment::HoldBefore));
        // All there is: whoever is second has nothing left of what it chose.
        let most = scene.owed()?;
        let ((late, late_hash), (soon, soon_hash)) =
            (scene.invoice(most / 2)?, scene.invoice(most / 2 - 40)?);
        let session = slow.session().await?;
        let (_, answer) = session.begin_call("pay", json!({"to": late})).await?;
        scene.proxy.reached(rule).await;
        let paid = quick.told("pay", json!({"to": soon})).await?;
        scene.proxy.release(rule);
        let late = answer.await?;
        scene.proxy.clear();
        must!(paid.text("state") == "settled", "turn {turn}: the quick one: {paid}");
        scene.agrees(&paid, &soon_hash)?;
        let what = format!("turn {turn}: the slow one: {late}");
        must!(scene.times_paid(&late_hash)? <= 1, "{what}");
        ground.converge(&one, &other).await.map_err(|error| format!("{what}: {error}"))?;
        let known = slow.told("get_payment", json!({"payment_hash": late_hash})).await?;
        if known.word() != "not_found" {
            scene
                .agrees(&slow.ended_by_hash(&late_hash).await?, &late_hash)
                .map_err(|error| format!("{what}: {error}"))?;
        }
        forced += lost_races(scene) - before;
        other.close().await?;
        one.fund(2_000).await?;
        one.sync().await?;
    }
    must!(forced > 0, "nobody lost a race");
    let other = ground.device()?;
    other.sync().await?;
    let told = both_pay(&run, scene, [&one, &other], run.pick(200, 10)).await?;
    ground.converge(&one, &other).await?;
    let races = lost_races(scene);
    other.close().await?;
    ground.agree(&one, 0).await?;
    Ok(Proof::of(races).saying(format!("{forced} by force; {told:?}")))
}

/// F-058: one mnemonic in two folders, used at once.
pub(crate) async fn same_words(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let scene = &ground.scene;
    let one = scene.wallet()?;
    ground.settle_in(&one, &[], WIDE, "")?;
    one.fund(1_000).await?;
    one.sync().await?;
    let other = scene.wallet()?;
    ground.settle_in(&other, &[], WIDE, "")?;
    // The first goes on while the second is made.
    restore(&other, &one.home.mnemonic()?).await?;
    scene.forget(&other);
    // It does not know what was spent today: a day later it may spend.
    let told = other.told("pay", json!({"to": scene.invoice(5)?.0})).await?;
    must!(told.code() == "over_budget", "just restored: {told}");
    other.restart_after(86_500).await?;
    must!(one.npub().await? == other.npub().await?, "two people of the same words");
    ground.converge(&one, &other).await?;
    let before = scene.proxy.exchanges().len();
    let rounds = run.pick(50, 6);
    let told = both_pay(&run, scene, [&one, &other], rounds).await?;
    // What comes in needs new counters on both.
    for sats in [100, 101, 102] {
        let (left, right) = tokio::join!(one.fund(sats), other.fund(sats));
        left?;
        right?;
    }
    for device in [&one, &other] {
        device.restart().await?;
        let wanted = json!({"amount_sats": 33, "memo": scene.name("both")});
        let mut sent = device.told("send_token", wanted.clone()).await?;
        if sent.code() == "mint_refused" {
            // The other has spent some of these coins meanwhile, and this one has not heard of it
            // yet.
            must!(sent.text("money_moved") == "no", "{sent}");
            device.sync().await?;
            sent = device.told("send_token", wanted).await?;
        }
        must!(sent.text("state") == "settled", "{sent}");
        device.ok("reclaim_token", json!({"payment_id": sent.text("payment_id")})).await?;
    }
    ground.converge(&one, &other).await?;
    let again = signed_before(scene);
    must!(again <= 1, "the mint was asked {again} times for what it had signed");
    let asked = scene.proxy.exchanges().len() - before;
    must!(asked < rounds * 120 + 600, "{asked} requests for {rounds} rounds");
    must!(
        told.get("settled").copied().unwrap_or(0) >= rounds,
        "hardly anything was paid: {told:?}"
    );
    Ok(Proof::of(2 * rounds + 8)
        .saying(format!("signed before: {again}; races lost: {}; {told:?}", lost_races(scene))))
}
