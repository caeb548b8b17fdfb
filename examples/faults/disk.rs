//! What a verb leaves behind when the disk fails, or the process or the power goes, at each of its
//! writes and syncs.

use std::sync::Arc;

use testbed::harness::{Outcome, holds};
use testbed::{Act as Fault, Calls, EIO, ENOSPC};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::verb::Verb;

/// How long a client waits for a verb whose disk fails.
const PATIENCE: Duration = Duration::from_secs(4);
/// Scenes that are played beside one another.
const SCENES: usize = 6;

/// F-013: the process or the power goes at each sync.
pub(crate) async fn cut_at_every_sync(run: Run) -> Outcome<Proof> {
    const FAULTS: &[Fault] = &[Fault::PowerCut, Fault::TornPowerCut, Fault::KillAfter];
    let verbs = run.pick(&Verb::ALL[..], &[Verb::Deposit, Verb::Pay, Verb::SendLocked]);
    at_every_call(run, Calls::SYNCS, FAULTS, verbs).await
}

/// F-015: the process goes before and after each write of a payment.
pub(crate) async fn killed_at_every_write(run: Run) -> Outcome<Proof> {
    let verbs = run.pick(&[Verb::Pay, Verb::PaySlowly, Verb::SendLocked][..], &[Verb::Pay]);
    let calls = run.pick(Calls::ALL, Calls::SYNCS);
    at_every_call(run, calls, &[Fault::KillBefore, Fault::KillAfter], verbs).await
}

/// F-060: no space from each write on.
pub(crate) async fn disk_full(run: Run) -> Outcome<Proof> {
    let verbs = run.pick(&Verb::ALL[..], &[Verb::Pay, Verb::Receive]);
    at_every_call(run, Calls::WRITES, &[Fault::FailFrom(ENOSPC)], verbs).await
}

/// F-061: an error at each write or sync, once or from then on.
pub(crate) async fn disk_fails(run: Run) -> Outcome<Proof> {
    let verbs = run.pick(&Verb::ALL[..], &[Verb::Deposit, Verb::SendLocked]);
    let calls = run.pick(Calls::ALL, Calls::SYNCS);
    at_every_call(run, calls, &[Fault::FailOnce(EIO), Fault::FailFrom(EIO)], verbs).await
}

/// The fault at the first, second, ... of these calls of each verb, until it ends unharmed. Each
/// verb and fault plays on a scene of its own, some beside one another: most of the time goes with
/// waiting for a wallet without a disk.
async fn at_every_call(
    run: Run,
    calls: Calls,
    faults: &'static [Fault],
    verbs: &'static [Verb],
) -> Outcome<Proof> {
    let (places, mut scenes) = (Arc::new(Semaphore::new(SCENES)), JoinSet::new());
    for (verb, fault) in
        verbs.iter().flat_map(|verb| faults.iter().map(move |fault| (*verb, *fault)))
    {
        let (places, run) = (Arc::clone(&places), run.clone());
        scenes.spawn(async move {
            let _place = places.acquire().await;
            at_every_call_of(verb, &run, calls, fault)
                .await
                .map_err(|error| format!("{verb:?}, {fault:?}, {error}"))
        });
    }
    let (mut fired, mut ends) = (0, 0);
    while let Some(ended) = scenes.join_next().await {
        let (fired_here, ends_here) = ended??;
        fired += fired_here;
        ends += ends_here;
    }
    Ok(Proof::of(fired).saying(format!("{ends} times the process ended")))
}

/// Gives how often the fault fired, and how often the process ended.
async fn at_every_call_of(
    verb: Verb,
    run: &Run,
    calls: Calls,
    fault: Fault,
) -> Outcome<(usize, usize)> {
    let scene = Scene::set(run).await?;
    let (wallet, friend) = (scene.funded(50_000).await?, scene.funded(20_000).await?);
    let (mut fired, mut ends) = (0, 0);
    for place in 1.. {
        let what = |error| format!("call {place}: {error}");
        let act = verb.ready(&scene, &wallet, Some(&friend), 30).await.map_err(what)?;
        wallet.shim.at(calls, place, fault)?;
        // Nobody waits long for a wallet without a disk.
        let told = match timeout(PATIENCE, act.act(&scene, &wallet)).await {
            Ok(told) => told.map_err(what)?,
            Err(_) => None,
        };
        let came = wallet.shim.fired()?;
        if came == 0 {
            // Unharmed, or harmed by what it does afterwards.
            wallet.shim.calm()?;
        }
        ends += usize::from(!wallet.is_alive().await?);
        fired += usize::try_from(came)?;
        if let (Some(told), Fault::FailFrom(_)) = (&told, fault) {
            let lied = came > 0
                && matches!(verb, Verb::Send | Verb::SendLocked)
                && !told.is_error
                && told.text("state") == "settled"
                && !told.text("token").starts_with("cashu");
            holds(!lied, format!("a token without text: {told}")).map_err(what)?;
        }
        scene.lightning.settle(&act.mark);
        scene.lifted().await.map_err(what)?;
        act.judge(&scene, &wallet).await.map_err(what)?;
        scene.settled().await.map_err(what)?;
        if came == 0 {
            break;
        }
    }
    Ok((fired, ends))
}
