//! Death of the process: at every boundary of a request, at random, again during recovery, at every
//! write.

use testbed::harness::{Client, Outcome, WIDE};
use testbed::must;
use testbed::{MintOptions, Moment, Rule};

use crate::mint::Mint;
use crate::scene::{Scene, lasting};
use crate::table::How::{self, Runs};
use crate::table::Proof;
use crate::trial::Run;
use crate::verb::Verb;
use crate::{disk, ends, random};

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-001", Runs(|run| Box::pin(every_boundary(run, &[Verb::Deposit])))),
    ("F-002", Runs(|run| Box::pin(every_boundary(run, &[Verb::Pay, Verb::PaySlowly])))),
    (
        "F-003",
        Runs(|run| Box::pin(every_boundary(run, &[Verb::Send, Verb::SendLocked, Verb::Reclaim]))),
    ),
    ("F-004", Runs(|run| Box::pin(every_boundary(run, &[Verb::Receive])))),
    ("F-008", Runs(|run| Box::pin(random::at_random(run)))),
    ("F-009", Runs(|run| Box::pin(random::in_recovery(run)))),
    ("F-010", Runs(|run| Box::pin(ends::restarts_without_a_mint(run)))),
    ("F-011", Runs(|run| Box::pin(ends::ends_in_a_payment(run)))),
    ("F-012", Runs(|run| Box::pin(ends::given_up(run)))),
    ("F-013", Runs(|run| Box::pin(disk::cut_at_every_sync(run)))),
    ("F-014", Runs(|run| Box::pin(ends::shapes(run)))),
    ("F-015", Runs(|run| Box::pin(disk::killed_at_every_write(run)))),
];

/// Before the mint hears of it, after it has done it, after its answer.
pub(crate) const SIDES: [Moment; 3] =
    [Moment::BeforeRequest, Moment::AfterMint, Moment::AfterAnswer];

/// Kills at the first, second, ... request of a verb, until it ends unharmed; on each side of each.
async fn every_boundary(run: Run, verbs: &[Verb]) -> Outcome<Proof> {
    // Deposits are paid when their invoice was seen; otherwise nobody could.
    let by_itself =
        if verbs.contains(&Verb::Deposit) { None } else { MintOptions::default().auto_pay };
    let options = MintOptions { auto_pay: by_itself, ..lasting() };
    let scene = Scene::with(&run, options).await?;
    let wallet = scene.wallet_at(&[scene.proxy.url()], WIDE)?;
    let friend = match verbs {
        [Verb::Deposit] => None,
        [Verb::Receive] => Some(scene.funded(5_000).await?),
        _ => {
            wallet.fund(20_000).await?;
            None
        }
    };
    let mut kills = 0;
    for turn in 0..run.pick(5, 1) {
        for verb in verbs {
            for side in SIDES {
                let mut place = 0;
                loop {
                    place += 1;
                    wallet.session().await?;
                    let act = verb.ready(&scene, &wallet, friend.as_ref(), 20 + turn).await?;
                    let before = scene.proxy.exchanges().len();
                    let rule = scene
                        .proxy
                        .fail(Rule::new("", "", side).nth(place).then(wallet.killer().await?));
                    act.act(&scene, &wallet).await?;
                    let (fired, made) =
                        (scene.proxy.fired(rule), scene.proxy.exchanges().len() - before);
                    scene.proxy.clear();
                    kills += fired;
                    scene.lightning.settle(&act.mark);
                    let what = |error| format!("{verb:?}, request {place}, {side:?}: {error}");
                    scene.lifted().await.map_err(what)?;
                    act.judge(&scene, &wallet).await.map_err(what)?;
                    scene.settled().await.map_err(what)?;
                    if made < place {
                        break;
                    }
                }
            }
        }
    }
    if let (Mint::Testbed(mint), [Verb::Deposit]) = (&scene.mint, verbs) {
        must!(mint.auditor().unclaimed()? == 0, "a paid deposit was not claimed");
    }
    Ok(Proof::of(kills))
}
