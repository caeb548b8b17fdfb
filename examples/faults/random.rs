//! Kills at random moments, and kills in the recovery from a kill.

use std::sync::Arc;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use testbed::harness::{Outcome, holds};
use testbed::must;
use testbed::{Moment, Rule};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use crate::death::SIDES;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::verb::{Act, Verb};
use crate::wallet::Wallet;

/// Scenes that are killed beside one another.
const SCENES: usize = 3;
/// Verbs under way at once.
const AT_ONCE: usize = 4;
/// The latest moment of a kill, in microseconds after the verbs began: most are over by then.
const LATEST: u64 = 120_000;

/// F-008.
pub(crate) async fn at_random(run: Run) -> Outcome<Proof> {
    let kills = run.arguments.kills.unwrap_or(run.pick(300, 30));
    let (mut chance, mut scenes) = (run.chance(), JoinSet::new());
    for place in 0..SCENES {
        let share = kills / SCENES + usize::from(place < kills % SCENES);
        scenes.spawn(kill_in_a_scene(run.clone(), share, StdRng::seed_from_u64(chance.random())));
    }
    let (mut cut, mut wrong) = (0, Vec::new());
    while let Some(ended) = scenes.join_next().await {
        let (fired, errors) = ended??;
        cut += fired;
        wrong.extend(errors);
    }
    must!(wrong.is_empty(), "{} of {kills} kills: {}", wrong.len(), wrong.join("; "));
    Ok(Proof::of(cut).saying(format!("{kills} kills, {cut} of them in the middle of a verb")))
}

/// Kills, restarts and judges; gives how many kills cut a verb, and what was wrong. A scene that
/// was wrong is left.
async fn kill_in_a_scene(
    run: Run,
    kills: usize,
    mut chance: StdRng,
) -> Outcome<(usize, Vec<String>)> {
    let (mut cut, mut wrong, mut scene) = (0, Vec::new(), None);
    for place in 0..kills {
        let (played, wallet, friend) = match scene.take() {
            Some(as_it_was) => as_it_was,
            None => new_scene(&run).await?,
        };
        match one_kill(&played, &wallet, &friend, &mut chance).await {
            Ok(in_the_middle) => {
                cut += usize::from(in_the_middle);
                run.watch.killed(true);
                scene = Some((played, wallet, friend));
            }
            Err(error) => {
                run.watch.killed(false);
                wrong.push(format!("kill {place}: {error}"));
            }
        }
    }
    Ok((cut, wrong))
}

async fn new_scene(run: &Run) -> Outcome<(Scene, Arc<Wallet>, Arc<Wallet>)> {
    let scene = Scene::set(run).await?;
    let (wallet, friend) = (scene.funded(50_000).await?, scene.funded(50_000).await?);
    Ok((scene, wallet, friend))
}

async fn one_kill(
    scene: &Scene,
    wallet: &Arc<Wallet>,
    friend: &Arc<Wallet>,
    chance: &mut StdRng,
) -> Outcome<bool> {
    let mut acts: Vec<Act> = Vec::new();
    for _ in 0..AT_ONCE {
        let verb = Verb::ALL.choose(chance).ok_or("no verb")?;
        acts.push(verb.ready(scene, wallet, Some(friend), chance.random_range(20..200)).await?);
    }
    let wait = Duration::from_micros(chance.random_range(0..LATEST));
    let killed = async {
        sleep(wait).await;
        wallet.kill().await
    };
    let (answers, killed) =
        tokio::join!(join_all(acts.iter().map(|act| act.act(scene, wallet))), killed);
    killed?;
    let mut was_cut = false;
    for answer in answers {
        was_cut |= answer?.is_none();
    }
    acts.iter().for_each(|act| scene.lightning.settle(&act.mark));
    scene.lifted().await?;
    for act in &acts {
        act.judge(scene, wallet)
            .await
            .map_err(|error| format!("{act:?}, killed after {wait:?}: {error}"))?;
    }
    scene.settled().await.map_err(|error| format!("{acts:?}, killed after {wait:?}: {error}"))?;
    Ok(was_cut)
}

/// F-009: the first kill at the requests that matter, the second at each of the first requests of
/// the recovery, the third in the recovery from that.
pub(crate) async fn in_recovery(run: Run) -> Outcome<Proof> {
    let (mut double, mut triple) = (0, 0);
    let (scene, wallet, friend) = new_scene(&run).await?;
    friend.close().await?;
    let firsts = [
        (Verb::Deposit, "/v1/mint/bolt11"),
        (Verb::Pay, "/v1/melt/bolt11"),
        (Verb::PaySlowly, "/v1/melt/bolt11"),
        (Verb::SendLocked, "/v1/swap"),
        (Verb::Receive, "/v1/swap"),
        (Verb::Reclaim, "/v1/swap"),
    ];
    for (turn, (verb, path)) in firsts.into_iter().enumerate() {
        for first in [Moment::BeforeRequest, Moment::AfterMint].into_iter().skip(run.pick(0, 1)) {
            // A short run takes another side for each verb, and a first kill that matters.
            for side in SIDES.into_iter().skip(run.pick(0, turn % 3)).take(run.pick(3, 1)) {
                for place in 1..=run.pick(5, 3) {
                    let what = |error| {
                        format!(
                            "{verb:?}, {path} {first:?}, then request {place} {side:?}: {error}"
                        )
                    };
                    let act = verb.ready(&scene, &wallet, Some(&friend), 30).await?;
                    let rule =
                        scene.proxy.fail(Rule::new("POST", path, first).then(wallet.reaper()));
                    act.act(&scene, &wallet).await?;
                    holds(scene.proxy.fired(rule) > 0, "the first kill did not come")
                        .map_err(what)?;
                    scene.lightning.settle(&act.mark);
                    let again =
                        recover_until_killed(&scene, &wallet, side, place).await.map_err(what)?;
                    double += usize::from(again);
                    if again {
                        triple += usize::from(
                            recover_until_killed(&scene, &wallet, side, 1).await.map_err(what)?,
                        );
                    }
                    scene.lifted().await.map_err(what)?;
                    act.judge(&scene, &wallet).await.map_err(what)?;
                    scene.settled().await.map_err(what)?;
                    if !again {
                        break;
                    }
                }
            }
        }
    }
    let (doubles, triples) = run.pick((100, 20), (6, 6));
    must!(double >= doubles && triple >= triples, "only {double} double and {triple} triple kills");
    Ok(Proof::of(double + triple).saying(format!("{double} double and {triple} triple kills")))
}

/// Starts again and lets it recover, until it is killed at this request or nothing is open. Whether
/// it was killed.
async fn recover_until_killed(
    scene: &Scene,
    wallet: &Wallet,
    side: Moment,
    place: usize,
) -> Outcome<bool> {
    wallet.kill().await?;
    scene.proxy.clear();
    let rule = scene.proxy.fail(Rule::new("", "", side).nth(place).then(wallet.reaper()));
    let killed = || scene.proxy.fired(rule) > 0;
    let since = Instant::now();
    // A kill while it starts shows as a failed start.
    let mut gone = wallet.restart().await.is_err();
    while !gone && !killed() && since.elapsed() < Duration::from_secs(10) {
        match scene.books().await {
            Ok((sum, owed))
                if sum.pending == 0
                    && sum.all() == owed
                    && since.elapsed() > Duration::from_millis(500) =>
            {
                break;
            }
            Ok(_) => sleep(Duration::from_millis(20)).await,
            Err(_) => gone = true,
        }
    }
    scene.proxy.clear();
    must!(!gone || killed(), "it ended, and nobody had killed it");
    // The kill may still be on its way. It must not reach the next run instead of this one.
    while killed() && since.elapsed() < Duration::from_secs(20) && wallet.is_alive().await? {
        sleep(Duration::from_millis(5)).await;
    }
    Ok(killed())
}
