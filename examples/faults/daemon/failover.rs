//! F-054: the process that keeps the wallet is killed while its sessions are busy.

use std::sync::Arc;

use futures::future::join_all;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rustix::process::Signal;
use serde_json::{Value, json};
use testbed::harness::{Answer, Client, Outcome, Session, holds};
use testbed::must;
use testbed::{Moment, Rule};
use tokio::time::{Duration, Instant, sleep};

use super::{SOON, signal, within};
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::verb::{Act, Verb};
use crate::wallet::Wallet;

/// Sessions that are busy.
const SESSIONS: usize = 5;
/// Kills at random moments before the wallet is judged.
const BATCH: usize = 10;
/// The latest moment of a random kill, in microseconds after the calls began.
const LATEST: u64 = 120_000;

/// How long clients waited from the kill on.
#[derive(Debug, Default)]
struct Waits {
    /// Until they were told that an outcome is unknown.
    told: Vec<Duration>,
    /// Until the next daemon had answered them.
    served: Vec<Duration>,
}

impl Waits {
    fn extend(&mut self, told: Duration, served: Duration) {
        self.told.push(told);
        self.served.push(served);
    }
}

pub(crate) async fn killed(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let (wallet, friend) = (scene.shared(50_000).await?, scene.funded(20_000).await?);
    let mut waits = Waits::default();
    for _ in 0..run.pick(5, 1) {
        for moment in [Moment::HoldBefore, Moment::HoldAfter] {
            for with_starter in [false, true] {
                let what = |error| format!("{moment:?}, its starter too {with_starter}: {error}");
                in_a_melt(&scene, &wallet, moment, with_starter, &mut waits).await.map_err(what)?;
            }
        }
    }
    let in_melts = waits.told.len();
    let (mut chance, batches) = (run.chance(), run.pick(10, 1));
    for batch in 0..batches {
        let cut = at_random(&scene, &wallet, &friend, &mut chance, &mut waits).await;
        (0..BATCH).for_each(|_| run.watch.killed(cut.is_ok()));
        cut.map_err(|error| format!("batch {batch}: {error}"))?;
    }
    scene.conserved().await?;
    let at_random = waits.told.len() - in_melts;
    let (told, served) = (ninety_nine(&mut waits.told), ninety_nine(&mut waits.served));
    Ok(Proof::of(in_melts + at_random).saying(format!(
        "{in_melts} calls cut in a melt, {at_random} by {} random kills; told after {told}, served after {served}",
        batches * BATCH
    )))
}

/// The 99th percentile, and the slowest.
fn ninety_nine(waits: &mut [Duration]) -> String {
    waits.sort();
    let at = |place: usize| waits.get(place).copied().unwrap_or_default().as_secs_f64();
    format!(
        "{:.2} s (p99) and at most {:.2} s",
        at(waits.len() * 99 / 100),
        at(waits.len().saturating_sub(1))
    )
}

/// Five sessions pay, the first request to pay is with the mint, and the daemon is killed; with it
/// the shim that started it.
async fn in_a_melt(
    scene: &Scene,
    wallet: &Arc<Wallet>,
    moment: Moment,
    with_starter: bool,
    waits: &mut Waits,
) -> Outcome {
    wallet.share().await?;
    wallet.ok("get_balance", json!({})).await?;
    let daemon = wallet.daemon()?;
    let sessions = sessions(wallet).await?;
    let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", moment).every());
    let mut calls = Vec::new();
    for session in &sessions {
        let (invoice, hash) = scene.invoice(20)?;
        let (_, answer) = session.begin_call("pay", json!({"to": invoice})).await?;
        calls.push((answer, hash));
    }
    // Lines go in order: what is answered now was read after the payment.
    for session in &sessions {
        session.ok("get_balance", json!({})).await?;
    }
    scene.proxy.reached(rule).await;
    let since = Instant::now();
    signal(daemon, Signal::KILL)?;
    if with_starter {
        wallet.kill().await?;
    }
    let told = join_all(sessions.iter().zip(&mut calls).map(
        async |(session, (answer, hash))| -> Outcome<_> {
            let message = within(SOON, "the end of a call that was cut", answer).await??;
            let told = Answer::read(&message, since.elapsed())?;
            is_unknown(&told)?;
            must!(
                told.value.pointer("/details/payment_hash") == Some(&json!(hash)),
                "told without its hash: {told}"
            );
            within(SOON, "the next daemon", session.ok("get_balance", json!({}))).await??;
            Ok((told.took, since.elapsed()))
        },
    ));
    for one in told.await {
        let (told, served) = one?;
        must!(served <= SOON, "served after {served:?}");
        waits.extend(told, served);
    }
    must!(wallet.daemon()? != daemon, "the daemon is not killed");
    close(sessions).await?;
    scene.lifted().await?;
    for (_, hash) in calls {
        let known = wallet.told("get_payment", json!({"payment_hash": hash})).await?;
        if known.word() == "not_found" {
            must!(scene.times_paid(&hash)? == 0, "paid, and the wallet does not know it");
        } else {
            scene.agrees(&wallet.ended_by_hash(&hash).await?, &hash)?;
        }
    }
    scene.settled().await?;
    Ok(())
}

fn is_unknown(told: &Answer) -> Outcome {
    let is_so = told.word() == "outcome_unknown"
        && told.text("money_moved") == "unknown"
        && told.text("retry") == "never";
    holds(is_so, format!("not told that the outcome is unknown: {told}"))
}

async fn sessions(wallet: &Wallet) -> Outcome<Vec<Session>> {
    join_all((0..SESSIONS).map(|_| wallet.another("tester"))).await.into_iter().collect()
}

async fn close(sessions: Vec<Session>) -> Outcome {
    for session in sessions {
        session.close().await?;
    }
    Ok(())
}

/// The same sessions over ten daemons, each killed at a random moment in calls of all kinds; then
/// all is judged.
async fn at_random(
    scene: &Scene,
    wallet: &Arc<Wallet>,
    friend: &Arc<Wallet>,
    chance: &mut StdRng,
    waits: &mut Waits,
) -> Outcome {
    wallet.share().await?;
    wallet.ok("get_balance", json!({})).await?;
    let sessions = sessions(wallet).await?;
    let mut all = Vec::new();
    for kill in 0..BATCH {
        // The last daemon may have gone unnoticed, and none been asked for yet.
        wallet.ok("get_balance", json!({})).await?;
        let mut acts = Vec::new();
        for _ in 0..SESSIONS {
            let verbs = [
                Verb::Deposit,
                Verb::Pay,
                Verb::Pay,
                Verb::Send,
                Verb::SendLocked,
                Verb::Receive,
                Verb::Reclaim,
            ];
            acts.push(
                verbs
                    .choose(chance)
                    .ok_or("no verb")?
                    .ready(scene, wallet, Some(friend), chance.random_range(20..200))
                    .await?,
            );
        }
        let daemon = wallet.daemon()?;
        let wait = Duration::from_micros(chance.random_range(0..LATEST));
        let killing = async {
            sleep(wait).await;
            signal(daemon, Signal::KILL)?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Instant::now())
        };
        let (answers, killed) = tokio::join!(
            join_all(sessions.iter().zip(&acts).map(|(session, act)| one_call(session, act))),
            killing
        );
        let killed = killed?;
        for answer in answers {
            let what = |error| format!("kill {kill} after {wait:?}: {error}");
            if let Some((told, served)) = answer.map_err(what)? {
                let (told, served) = (told.duration_since(killed), served.duration_since(killed));
                holds(served <= SOON, format!("served after {served:?}")).map_err(what)?;
                waits.extend(told, served);
            }
        }
        all.extend(acts);
    }
    close(sessions).await?;
    all.iter().for_each(|act| scene.lightning.settle(&act.mark));
    scene.lifted().await?;
    for act in &all {
        act.judge(scene, wallet).await.map_err(|error| format!("{act:?}: {error}"))?;
    }
    scene.settled().await?;
    Ok(())
}

/// One call, and where its outcome was lost when that was said and when the next daemon had
/// answered.
async fn one_call(session: &Session, act: &Act) -> Outcome<Option<(Instant, Instant)>> {
    let told = session.told(act.tool, act.arguments.clone()).await?;
    let at = Instant::now();
    match told.text("error") {
        "" => Ok(None),
        "outcome_unknown" => {
            is_unknown(&told)?;
            let hash = told.value.pointer("/details/payment_hash").and_then(Value::as_str);
            must!(
                act.tool != "pay" || hash == Some(act.mark.as_str()),
                "told without its hash: {told}"
            );
            session.ok("get_balance", json!({})).await?;
            Ok(Some((at, Instant::now())))
        }
        _ => Err(format!("{act:?}: {told}").into()),
    }
}
