//! F-053: copies of the same command, started at once on one folder.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use rustix::process::Pid;
use serde_json::json;
use testbed::harness::{Client, Outcome, Session};
use testbed::must;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, Instant};

use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// Between two looks at who holds the store.
const LOOK: Duration = Duration::from_millis(10);

/// All initialise, serve and pay; one process holds the store at any moment, and the same one from
/// beginning to end.
pub(crate) async fn at_once(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let (mut wallet, mut started, mut slowest) = (scene.shared(0).await?, 0, Duration::ZERO);
    for round in 0..run.pick(100, 5) {
        let copies = run.pick(10, 2 + round * 2);
        // Some rounds are the first in their folder.
        let is_new = round % run.pick(10, 3) == 0;
        if is_new {
            wallet = scene.shared(0).await?;
        }
        let what = |error| format!("round {round}, {copies} copies: {error}");
        slowest = slowest.max(one_round(&scene, &wallet, copies, is_new).await.map_err(what)?);
        wallet.stop().await.map_err(what)?;
        started += copies;
    }
    scene.conserved().await?;
    let rounds = run.pick(100, 5);
    Ok(Proof::of(started).saying(format!(
        "{started} copies in {rounds} rounds, the slowest paid {:.1} s after its start",
        slowest.as_secs_f64()
    )))
}

/// How long the slowest copy took to its payment.
async fn one_round(
    scene: &Scene,
    wallet: &Arc<Wallet>,
    copies: usize,
    is_new: bool,
) -> Outcome<Duration> {
    let over = Arc::new(AtomicBool::new(false));
    let watched = {
        let (wallet, over) = (Arc::clone(wallet), Arc::clone(&over));
        spawn_blocking(move || watch(&wallet, &over))
    };
    let served = join_all((0..copies).map(|number| one_copy(scene, wallet, number, is_new))).await;
    over.store(true, Ordering::SeqCst);
    let holders = watched.await??;
    let (mut slowest, mut sessions) = (Duration::ZERO, Vec::new());
    for copy in served {
        let (session, took) = copy?;
        slowest = slowest.max(took);
        sessions.push(session);
    }
    must!(holders.len() == 1, "the store was held by {holders:?}, one after the other");
    for session in &sessions {
        must!(session.is_alive().await, "a copy is gone");
        must!(!holders.contains(&session.process()), "a shim held the store");
    }
    for session in sessions {
        session.hang_up().await;
        let status = session.gone().await?;
        must!(status.success(), "a copy ended with {status}");
    }
    Ok(slowest)
}

async fn one_copy(
    scene: &Scene,
    wallet: &Wallet,
    number: usize,
    is_new: bool,
) -> Outcome<(Session, Duration)> {
    let since = Instant::now();
    let (agent, invoice) = (format!("copy-{number}"), scene.invoice(7)?.0);
    let session = wallet.another(&agent).await?;
    must!(session.tools().await?.len() >= 11, "not all tools are listed");
    if is_new {
        let asked = session.ok("deposit", json!({"amount_sats": 500})).await?;
        let got = session.deposit_within(&asked, 45).await?;
        must!(got.text("state") == "received", "a deposit was not received: {got}");
    }
    let paid = session.ok("pay", json!({"to": invoice})).await?;
    must!(paid.text("state") == "settled", "not paid: {paid}");
    let balance = session.ok("get_balance", json!({})).await?;
    must!(balance.text("agent") == agent, "{agent} is taken for {}", balance.text("agent"));
    Ok((session, since.elapsed()))
}

/// All processes that held the store; never two at a time.
fn watch(wallet: &Wallet, over: &AtomicBool) -> Outcome<HashSet<Pid>> {
    let mut seen = HashSet::new();
    while !over.load(Ordering::SeqCst) {
        let now = wallet.holders();
        must!(now.len() <= 1, "two hold the store: {now:?}");
        seen.extend(now);
        std::thread::sleep(LOOK);
    }
    Ok(seen)
}
