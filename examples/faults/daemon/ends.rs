//! F-011 and F-059 on a shared wallet: the client's end is not the payment's, and a daemon that is
//! stopped holds nobody for ever.

use rustix::process::Signal;
use serde_json::json;
use testbed::harness::{Answer, Client, Outcome, holds};
use testbed::{Moment, Rule};
use tokio::time::{Duration, Instant, sleep};

use super::{signal, within};
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;

/// How long clients wait after SIGTERM before they kill.
const PATIENT: Duration = Duration::from_secs(2);

/// How a shim ends in the middle of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Terminated,
    Killed,
    ClosedThenKilled,
}

/// F-011: the payment goes on in the daemon whatever becomes of the shim, and is settled without
/// another process.
pub(crate) async fn ends_in_a_payment(run: &Run) -> Outcome<Proof> {
    let scene = Scene::set(run).await?;
    let wallet = scene.shared(2_000).await?;
    let daemon = wallet.daemon()?;
    let (mut fired, mut longest, mut told_to_end) = (0, Duration::ZERO, Duration::ZERO);
    for end in [End::Closed, End::Terminated, End::Killed, End::ClosedThenKilled] {
        for moment in [Moment::HoldBefore, Moment::HoldAfter] {
            let what = |error| format!("{end:?}, {moment:?}: {error}");
            let (invoice, hash) = scene.invoice(33)?;
            let session = wallet.another("tester").await?;
            let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", moment));
            let (_, answer) = session.begin_call("pay", json!({"to": invoice})).await?;
            scene.proxy.reached(rule).await;
            let since = Instant::now();
            match end {
                End::Terminated => session.signal(Signal::TERM)?,
                End::Killed => session.kill().await?,
                End::Closed | End::ClosedThenKilled => session.hang_up().await,
            }
            match end {
                // It waits for the answer, and gives it.
                End::Closed => {
                    sleep(Duration::from_millis(300)).await;
                    scene.proxy.release(rule);
                    let message = within(
                        Duration::from_secs(20),
                        "the answer after its input was closed",
                        answer,
                    )
                    .await
                    .map_err(what)??;
                    let told = Answer::read(&message, since.elapsed())?;
                    holds(told.word() == "settled", format!("told {told}")).map_err(what)?;
                }
                // It does not wait for a payment that may take long.
                End::Terminated | End::Killed => {}
                End::ClosedThenKilled => {
                    sleep(Duration::from_secs(2)).await;
                    session.kill().await?;
                }
            }
            let status = within(Duration::from_secs(10), "the end of the shim", session.gone())
                .await
                .map_err(what)??;
            longest = longest.max(since.elapsed());
            match end {
                End::Closed => {
                    holds(status.code() == Some(0), format!("ended with {status}")).map_err(what)?
                }
                End::Terminated => {
                    told_to_end = told_to_end.max(since.elapsed());
                    holds(
                        since.elapsed() < PATIENT,
                        format!("it took {:?} after SIGTERM", since.elapsed()),
                    )
                    .map_err(what)?;
                    holds(status.code() == Some(0), format!("ended with {status}"))
                        .map_err(what)?;
                }
                End::Killed | End::ClosedThenKilled => {}
            }
            holds(wallet.daemon()? == daemon, "the daemon is another").map_err(what)?;
            scene.proxy.release(rule);
            let ended = wallet.ended_by_hash(&hash).await.map_err(what)?;
            holds(ended.text("state") == "settled", format!("cut with its client: {ended}"))
                .map_err(what)?;
            scene.agrees(&ended, &hash).map_err(what)?;
            fired += scene.proxy.fired(rule);
            scene.proxy.clear();
        }
    }
    scene.conserved().await?;
    let [longest, told_to_end] = [longest, told_to_end].map(|time| time.as_secs_f64());
    Ok(Proof::of(fired)
        .saying(format!("shared: at most {longest:.1} s, after SIGTERM {told_to_end:.1} s")))
}

/// F-059: the daemon stopped, alone and with its shim, in a payment. A short run does not wait
/// until a client is told that nobody answers.
pub(crate) async fn stopped(run: &Run) -> Outcome<Proof> {
    let scene = Scene::set(run).await?;
    let wallet = scene.shared(2_000).await?;
    let (session, other) = (wallet.session().await?, wallet.another("tester").await?);
    let daemon = wallet.daemon()?;
    let (mut fired, mut told_after) = (0, Duration::ZERO);
    for moment in [Moment::HoldBefore, Moment::HoldAfter] {
        for both in [false, true] {
            let what = |error| format!("{moment:?}, both {both}: {error}");
            let (invoice, hash) = scene.invoice(40)?;
            let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", moment));
            let (_, payment) = session.begin_call("pay", json!({"to": invoice})).await?;
            scene.proxy.reached(rule).await;
            signal(daemon, Signal::STOP)?;
            if both {
                session.signal(Signal::STOP)?;
            }
            let since = Instant::now();
            let (_, read) = other.begin_call("get_balance", json!({})).await?;
            scene.proxy.release(rule);
            let is_told = !both && !run.is_short();
            let told = async |answer, code| -> Outcome {
                let message =
                    within(Duration::from_secs(50), "the word that nobody answers", answer)
                        .await??;
                let told = Answer::read(&message, since.elapsed())?;
                holds(told.word() == code, format!("told {told}"))
            };
            let (mut payment, mut read) = (Some(payment), Some(read));
            if is_told {
                let (payment, read) =
                    (payment.take().ok_or("no call")?, read.take().ok_or("no call")?);
                let (one, two) =
                    tokio::join!(told(payment, "outcome_unknown"), told(read, "wallet_busy"));
                one.and(two).map_err(what)?;
                told_after = told_after.max(since.elapsed());
            } else {
                sleep(Duration::from_secs(run.pick(60, 3))).await;
            }
            signal(daemon, Signal::CONT)?;
            session.signal(Signal::CONT)?;
            for answer in [payment, read].into_iter().flatten() {
                let message = within(Duration::from_secs(50), "an answer after all", answer)
                    .await
                    .map_err(what)??;
                holds(message.get("result").is_some(), format!("answered {message}"))
                    .map_err(what)?;
            }
            let ended = wallet.ended_by_hash(&hash).await.map_err(what)?;
            holds(ended.text("state") == "settled", format!("{ended}")).map_err(what)?;
            scene.agrees(&ended, &hash).map_err(what)?;
            holds(wallet.daemon()? == daemon, "the daemon is another").map_err(what)?;
            fired += scene.proxy.fired(rule);
            scene.proxy.clear();
        }
    }
    other.close().await?;
    scene.conserved().await?;
    Ok(Proof::of(fired).saying(match told_after {
        Duration::ZERO => String::new(),
        after => format!("shared: told after {:.1} s", after.as_secs_f64()),
    }))
}
