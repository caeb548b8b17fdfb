//! Relays that never stop or never answer: memory stays bounded, and every tool answers meanwhile.

use serde_json::json;
use testbed::harness::{Client, Outcome};
use testbed::must;
use testbed::{Flood, Misrule};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use super::ground::Ground;
use crate::slow::peak;
use crate::table::Proof;
use crate::trial::Run;

/// The most memory that a wallet may ever have held, in KiB.
const MOST_KIB: u64 = 300 * 1024;
/// What answers without relays answers within this, however busy the machine is.
const PROMPT: Duration = Duration::from_secs(10);

/// How soon the other relay is told all.
const TOLD: Duration = Duration::from_secs(60);

/// F-079.
pub(crate) async fn floods(run: Run) -> Outcome<Proof> {
    let flood = |flood| Misrule { flood: Some(flood), ..Misrule::default() };
    let mute = Misrule { mute: true, ..Misrule::default() };
    let unsatisfied = Misrule { demand_name: true, never_satisfied: true, ..Misrule::default() };
    let all = [
        ("a million bytes each", flood(Flood::LargeEvents)),
        ("asked for by nobody", flood(Flood::OtherSubscription)),
        ("pings", flood(Flood::Pings)),
        ("a drip", flood(Flood::Drip)),
        ("mute", mute),
        ("never satisfied", unsatisfied),
    ];
    let (mut most, mut longest) = (0, Duration::ZERO);
    let mut fired = 0;
    // Three at once: each is mostly waiting, and three floods are one machine's work.
    for some in all.chunks(3) {
        let mut at_once = JoinSet::new();
        for (what, misrule) in some.iter().cloned() {
            let run = run.clone();
            at_once.spawn(async move {
                one(&run, misrule).await.map_err(|error| format!("{what}: {error}"))
            });
        }
        while let Some(ended) = at_once.join_next().await {
            let (kib, took) = ended??;
            most = most.max(kib);
            longest = longest.max(took);
            fired += 1;
        }
    }
    Ok(Proof::of(fired).saying(format!(
        "at most {} MiB of memory, slowest sync {:.1} s",
        most / 1024,
        longest.as_secs_f64()
    )))
}

async fn one(run: &Run, misrule: Misrule) -> Outcome<(u64, Duration)> {
    let ground = Ground::new(run, 2).await?;
    let [good, bad] = ground.relays.as_slice() else { return Err("two relays".into()) };
    let wallet = ground.ours(1_000).await?;
    bad.rule(|rule| *rule = misrule);
    let before = bad.frames();
    let syncing = wallet.told("sync", json!({}));
    let meanwhile = async {
        for sats in [11, 12, 13] {
            let told = wallet.ok("get_balance", json!({})).await?;
            must!(told.took < PROMPT, "the balance took {:?}", told.took);
            let told = wallet.ok("pay", json!({"to": ground.scene.invoice(sats)?.0})).await?;
            must!(told.text("state") == "settled" && told.took < PROMPT, "{:?}: {told}", told.took);
        }
        Outcome::Ok(())
    };
    let (synced, others) = tokio::join!(syncing, meanwhile);
    others?;
    let synced = synced?;
    must!(!synced.is_error && synced.text("state") != "synced", "{synced}");
    must!(bad.frames() > before, "the relay was not asked");
    let kib = peak(wallet.session().await?.process())?;
    must!(kib < MOST_KIB, "{} MiB of memory", kib / 1024);
    // The other relay is served all the same.
    must!(!good.taken().is_empty(), "the other relay was told nothing");
    let (since, owed) = (Instant::now(), ground.scene.owed()?);
    while ground.copied()? != owed {
        must!(since.elapsed() < TOLD, "the other relay shows {} of {owed}", ground.copied()?);
        sleep(Duration::from_millis(200)).await;
    }
    bad.rule(|rule| *rule = Misrule::default());
    ground.agree(&wallet, 0).await?;
    Ok((kib, synced.took))
}
