//! Death of the process: at every boundary of a request, at random, again during recovery, at every
//! write.

use testbed::{MintOptions, Moment, Rule};

use crate::home::WIDE;
use crate::mint::Mint;
use crate::scene::{LONG, Scene};
use crate::table::How::Runs;
use crate::table::Severity::{S1, S2};
use crate::table::{Proof, Row};
use crate::trial::Run;
use crate::verb::Verb;
use crate::{Outcome, disk, ends, holds, random};

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-001",
        S1,
        "deposit, killed at every request",
        Runs(|run| Box::pin(every_boundary(run, &[Verb::Deposit]))),
    )
    .at_any_mint(),
    Row::new(
        "F-002",
        S1,
        "pay, killed at every request",
        Runs(|run| Box::pin(every_boundary(run, &[Verb::Pay, Verb::PaySlowly]))),
    )
    .at_any_mint(),
    Row::new(
        "F-003",
        S1,
        "send and reclaim, killed at every request",
        Runs(|run| Box::pin(every_boundary(run, &[Verb::Send, Verb::SendLocked, Verb::Reclaim]))),
    )
    .at_any_mint(),
    Row::new(
        "F-004",
        S1,
        "receive, killed at every request",
        Runs(|run| Box::pin(every_boundary(run, &[Verb::Receive]))),
    )
    .at_any_mint(),
    Row::new(
        "F-008",
        S1,
        "kills at random moments of a mixed workload",
        Runs(|run| Box::pin(random::at_random(run))),
    )
    .at_any_mint(),
    Row::new(
        "F-009",
        S1,
        "killed again, and a third time, in the recovery",
        Runs(|run| Box::pin(random::in_recovery(run))),
    )
    .at_any_mint(),
    Row::new(
        "F-010",
        S2,
        "20 restarts while the mint is down, then it is up",
        Runs(|run| Box::pin(ends::restarts_without_a_mint(run))),
    ),
    Row::new(
        "F-011",
        S1,
        "input closed, SIGTERM, SIGKILL 2 s later, in a payment",
        Runs(|run| Box::pin(ends::ends_in_a_payment(run))),
    ),
    Row::new(
        "F-012",
        S1,
        "the call cancelled, or given up, in a payment",
        Runs(|run| Box::pin(ends::given_up(run))),
    ),
    Row::new(
        "F-013",
        S1,
        "killed before and after every sync",
        Runs(|run| Box::pin(disk::cut_at_every_sync(run))),
    ),
    Row::new(
        "F-014",
        S2,
        "answers of a mint that make a handler panic",
        Runs(|run| Box::pin(ends::shapes(run))),
    ),
    Row::new(
        "F-015",
        S1,
        "killed before and after every write of a payment",
        Runs(|run| Box::pin(disk::killed_at_every_write(run))),
    ),
];

/// Before the mint hears of it, after it has done it, after its answer.
pub(crate) const SIDES: [Moment; 3] =
    [Moment::BeforeRequest, Moment::AfterMint, Moment::AfterAnswer];

/// Kills at the first, second, ... request of a verb, until it ends unharmed; on each side of each.
async fn every_boundary(run: Run, verbs: &[Verb]) -> Outcome<Proof> {
    // Deposits are paid when their invoice was seen; otherwise nobody could.
    let by_itself =
        if verbs.contains(&Verb::Deposit) { None } else { MintOptions::default().auto_pay };
    let options = MintOptions {
        auto_pay: by_itself,
        mint_quote_ttl: LONG,
        melt_quote_ttl: LONG,
        ..MintOptions::default()
    };
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
        holds(mint.auditor().unclaimed()? == 0, "a paid deposit was not claimed")?;
    }
    Ok(Proof::of(kills))
}
