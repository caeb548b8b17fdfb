//! The daemon is gone in the middle: what clients are told, what they find, and what they are not
//! made to do.

use std::time::Duration;

use serde_json::json;
use testbed::{Moment, Proxy, Rule};
use tokio::time::Instant;

use super::{daemon, home, kill, stop};
use crate::world::{Agent, Child, conserved, has, mint};

/// How soon a client is told once the daemon is gone.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_killed_daemon_is_told_at_once_paid_at_most_once_and_known_later() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let home = home(&proxy.url(), 600);
    let starter = Child::start(&home, "starter").await;
    starter.fund(2_000).await;
    let mut asked = Vec::new();
    for side in [Moment::HoldBefore, Moment::HoldAfter] {
        let mut shims = Vec::new();
        let rule = proxy.fail(Rule::new("POST", "/v1/melt/bolt11", side).every());
        for number in 0..5 {
            let shim = Child::start(&home, &format!("busy{number}")).await;
            let invoice =
                lightning.payee("shop").invoice(10, &format!("{side:?} {number}")).unwrap();
            let hash = invoice.payment_hash().to_string();
            let payment = shim.begin_call("pay", json!({"to": invoice.to_string(), "idempotency_key": format!("{side:?} {number}")})).await;
            shims.push((shim, payment, hash));
        }
        proxy.reached(rule).await;
        // What the daemon has not read is the next one's. Lines go in order: who is answered now
        // has been read.
        for (shim, ..) in &shims {
            shim.ok("get_balance", json!({})).await;
        }
        let since = Instant::now();
        kill(daemon(&home));
        for (shim, payment, hash) in shims {
            let told = shim.told(payment).await;
            has(&told, json!({"error": "outcome_unknown", "money_moved": "unknown"}));
            assert_eq!(
                (&told["details"]["payment_hash"], &told["retry"]),
                (&json!(hash), &json!("never")),
                "{told}"
            );
            let balance = shim.ok("get_balance", json!({})).await;
            assert!(balance["spendable_sats"].is_u64(), "{balance}");
            asked.push((balance["agent"].clone(), hash));
        }
        assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
        proxy.clear();
    }
    drop(starter);
    stop(&home);
    // Two minutes later what never reached the mint may be given up.
    let agent = Agent::two_minutes_later(home);
    let mut known = 0;
    for (name, hash) in &asked {
        let agent = agent.named(name.as_str().unwrap());
        match agent.call("get_payment", json!({"payment_hash": hash})).await {
            Ok(shown) => {
                let ended = agent.ended(&shown["payment_id"]).await;
                assert!(ended["state"] == "settled" || ended["state"] == "failed", "{ended}");
                known += 1;
            }
            Err(error) => assert_eq!(
                error.code.as_str(),
                "not_found",
                "it was lost before it was written down"
            ),
        }
        let paid = mint.auditor().paid().unwrap();
        let paid = paid.iter().filter(|melt| melt.payment_hash == *hash).count();
        assert!(paid <= 1, "{hash} was paid {paid} times");
    }
    println!("{known} of {} payments had begun", asked.len());
    assert!(known > 0);
    conserved("killed daemons", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn the_end_of_the_shim_that_started_the_daemon_is_noticed_by_nobody() {
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let starter = Child::start(&home, "starter").await;
    starter.fund(500).await;
    let other = Child::start(&home, "other").await;
    let before = daemon(&home);
    let parent =
        std::fs::read_to_string(format!("/proc/{}/stat", before.as_raw_nonzero())).unwrap();
    let parent = parent.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().to_owned();
    assert_ne!(
        parent,
        starter.process().as_raw_nonzero().to_string(),
        "the daemon is no child of its starter"
    );
    kill(starter.process());
    starter.gone().await;
    let invoice = lightning.payee("shop").invoice(10, "after").unwrap().to_string();
    assert_eq!(other.ok("pay", json!({"to": invoice})).await["state"], "settled");
    assert_eq!(daemon(&home), before);
}

#[tokio::test]
async fn what_changes_nothing_is_asked_again_and_what_was_watched_is_watched() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let home = home(&proxy.url(), 600);
    let watcher = Child::start(&home, "watcher").await;
    watcher.fund(500).await;
    watcher.ask("resources/subscribe", json!({"uri": "wallet://balance"})).await;
    // A read that waits.
    let deposit = watcher.ok("deposit", json!({"amount_sats": 10})).await;
    let waiting = watcher
        .begin_call("get_deposit", json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 20}))
        .await;
    kill(daemon(&home));
    let told = watcher.told(waiting).await;
    assert_eq!(told["state"], "received", "{told}");
    let mut notices = watcher.notices();
    let payer = Child::start(&home, "payer").await;
    let invoice = lightning.payee("shop").invoice(10, "watched").unwrap().to_string();
    assert_eq!(payer.ok("pay", json!({"to": invoice})).await["state"], "settled");
    loop {
        let notice = notices.recv().await.unwrap();
        if notice["method"] == "notifications/resources/updated" {
            assert_eq!(notice["params"]["uri"], "wallet://balance");
            return;
        }
    }
}

#[tokio::test]
async fn a_daemon_that_was_stopped_in_its_tracks_holds_nobody_for_ever_and_goes_on() {
    use rustix::process::{Signal, kill_process};
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(200).await;
    let stopped = daemon(&home);
    kill_process(stopped, Signal::STOP).unwrap();
    let invoice = lightning.payee("shop").invoice(10, "asleep").unwrap();
    let payment = shim.begin_call("pay", json!({"to": invoice.to_string()})).await;
    let read = shim.begin_call("get_balance", json!({})).await;
    let since = Instant::now();
    assert_eq!(shim.told(payment).await["error"], "outcome_unknown");
    assert_eq!(shim.told(read).await["error"], "wallet_busy");
    assert!(since.elapsed() < Duration::from_secs(52), "{:?}", since.elapsed());
    // Another client meanwhile.
    let other = Child::start(&home, "other").await;
    assert_eq!(other.answer("get_balance", json!({})).await["error"], "wallet_busy");
    kill_process(stopped, Signal::CONT).unwrap();
    let ended = shim.ended(json!({"payment_hash": invoice.payment_hash().to_string()})).await;
    assert_eq!(ended["state"], "settled");
    assert_eq!(daemon(&home), stopped);
}
