//! Many at once, long waits, clocks that jump, clients that misbehave, and what holds over the
//! whole run.

use std::sync::Arc;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use testbed::harness::{Client, Limits, Outcome, fail};
use testbed::must;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use crate::scene::Scene;
use crate::table::How::{self, Alone, AtEnd, Runs};
use crate::table::Proof;
use crate::trial::Run;
use crate::verb::Verb;
use crate::{clients, late};

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-050", Runs(|run| Box::pin(many_invoices(run)))),
    ("F-051", Runs(|run| Box::pin(one_invoice(run)))),
    ("F-052", Runs(|run| Box::pin(soak(run)))),
    ("F-059", Runs(|run| Box::pin(clients::stopped(run)))),
    ("F-107", Runs(|run| Box::pin(late::an_hour_and_restarts(run)))),
    ("F-111", Runs(|run| Box::pin(clock_jumps(run)))),
    ("F-123", Runs(|run| Box::pin(clients::lines(run)))),
    ("F-126", Runs(|run| Box::pin(clients::stops_reading(run)))),
    ("F-139", AtEnd(|run| Box::pin(every_line(run)))),
    ("F-140", Alone(|run| Box::pin(clients::no_mint(run)))),
];

async fn one_invoice(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(1_000).await?;
    let mut calls = 0;
    for with_keys in [false, true] {
        let (invoice, hash) = scene.invoice(30)?;
        let call = |place: usize| {
            let arguments = match (with_keys, place % 2) {
                (true, 0) => json!({"to": invoice, "idempotency_key": "the same"}),
                (true, _) => json!({"to": invoice, "idempotency_key": format!("one of {place}")}),
                (false, _) => json!({"to": invoice}),
            };
            wallet.told("pay", arguments)
        };
        let answers = join_all((0..50).map(call)).await.into_iter().collect::<Outcome<Vec<_>>>()?;
        let ended = wallet.ended_by_hash(&hash).await?;
        must!(ended.text("state") == "settled", "not paid: {ended}");
        for answer in &answers {
            let same = !answer.is_error && answer.text("payment_id") == ended.text("payment_id");
            must!(same, "an answer that is not that of the one payment: {answer}");
        }
        must!(scene.times_paid(&hash)? == 1, "not paid exactly once");
        calls += answers.len();
    }
    scene.conserved().await?;
    Ok(Proof::of(calls))
}

async fn every_line(run: Run) -> Outcome<Proof> {
    let (lines, wrong) = run.watch.lines();
    must!(
        wrong.is_empty(),
        "{} lines are no messages, the first: {:?}",
        wrong.len(),
        wrong.first()
    );
    Ok(Proof::of(lines)
        .saying(format!("{lines} lines, slowest call {:.1} s", run.watch.slowest().as_secs_f64())))
}

async fn many_invoices(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(5_000).await?;
    let invoices = (0..50).map(|place| scene.invoice(10 + place)).collect::<Outcome<Vec<_>>>()?;
    let answers =
        join_all(invoices.iter().map(|(invoice, _)| wallet.told("pay", json!({"to": invoice}))))
            .await;
    let mut paid = 0;
    for (answer, (_, hash)) in answers.into_iter().zip(&invoices) {
        let answer = answer?;
        if answer.is_error {
            // A clean no: what moved is no, and the mint's books agree.
            let is_clean = answer.text("money_moved") == "no"
                && matches!(answer.text("error"), "insufficient_funds" | "too_many_requests");
            must!(is_clean && scene.times_paid(hash)? == 0, "not clean: {answer}");
        } else {
            scene.agrees(&wallet.ended_by_hash(hash).await?, hash)?;
            paid += 1;
        }
    }
    scene.conserved().await?;
    Ok(Proof::of(50).saying(format!("{paid} paid")))
}

/// All verbs by 20 workers; at no moment is more shown as spendable than the mint owes.
async fn soak(run: Run) -> Outcome<Proof> {
    let scene = Arc::new(Scene::set(&run).await?);
    let (wallet, friend) = (scene.funded(200_000).await?, scene.funded(100_000).await?);
    let end = Instant::now() + run.pick(Duration::from_secs(300), Duration::from_secs(8));
    let (mut chance, mut workers) = (run.chance(), JoinSet::new());
    for _ in 0..20 {
        let (scene, wallet, friend) =
            (Arc::clone(&scene), Arc::clone(&wallet), Arc::clone(&friend));
        let mut chance = StdRng::seed_from_u64(chance.random());
        workers.spawn(async move {
            let (mut done, mut no) = (0_usize, 0_usize);
            while Instant::now() < end {
                let verbs = [Verb::Deposit, Verb::Pay, Verb::Send, Verb::Receive, Verb::Reclaim];
                let verb = verbs.get(chance.random_range(0..verbs.len())).ok_or("no verb")?;
                let act =
                    verb.ready(&scene, &wallet, Some(&friend), chance.random_range(1..500)).await?;
                let told = act.act(&scene, &wallet).await?.ok_or("it ended")?;
                match told.text("error") {
                    "storage_failed" | "wallet_damaged" | "internal" | "outcome_unknown" => {
                        return fail(told.value.to_string());
                    }
                    "" => done += 1,
                    _ => no += 1,
                }
            }
            Ok((done, no))
        });
    }
    let watched = async {
        let mut looks = 0;
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // Looked at before the mint's books: what comes in between only adds to what is owed.
            let shown = wallet.holds().await?.spendable + friend.holds().await?.spendable;
            let signed = scene.mint.testbed()?.auditor().by_state()?;
            must!(shown <= signed.signed, "{shown} shown as spendable of {} signed", signed.signed);
            looks += 1;
        }
        Ok(looks)
    };
    let looks: Outcome<usize> = watched.await;
    let (mut done, mut no) = (0, 0);
    while let Some(worker) = workers.join_next().await {
        let (one, other) = worker??;
        done += one;
        no += other;
    }
    scene.conserved().await?;
    Ok(Proof::of(done).saying(format!("{no} clean refusals, {} looks", looks?)))
}

/// A day's limit, and a clock that is not to be trusted: one window is freed by a day ahead, none
/// by the way back.
async fn clock_jumps(run: Run) -> Outcome<Proof> {
    const DAY: i64 = 86_400;
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded_within(20_000, Limits { per_payment: 900, per_day: 1_000 }).await?;
    let pay = async |sats: u64| -> Outcome<String> {
        let told = wallet.told("pay", json!({"to": scene.invoice(sats)?.0})).await?;
        Ok(told.word().to_owned())
    };
    // A token has no invoice that would have expired by this clock.
    let pay_token = async |sats: u64, memo: &str| -> Outcome<String> {
        let told = wallet.told("send_token", json!({"amount_sats": sats, "memo": memo})).await?;
        Ok(told.word().to_owned())
    };
    let mut jumps = 0;
    must!(pay(850).await? == "settled", "the first payment");
    for ahead in [0, -3600, 3600, -DAY, DAY - 120, -10 * 365 * DAY, DAY - 60] {
        for restarted in [false, true] {
            wallet.shim.set_clock(ahead)?;
            if restarted {
                wallet.restart_after(0).await?;
            }
            let word = pay(200).await?;
            must!(word == "over_budget", "{ahead} s, restarted {restarted}: {word}");
            jumps += 1;
        }
    }
    wallet.shim.set_clock(DAY + 10)?;
    wallet.restart_after(0).await?;
    let word = pay(850).await?;
    must!(word == "settled", "a day later: {word}");
    for ahead in [DAY + 20, 0, -DAY, DAY + 30, 2 * DAY - 60] {
        wallet.shim.set_clock(ahead)?;
        wallet.restart_after(0).await?;
        let word = pay(200).await?;
        must!(word == "over_budget", "the second window, {ahead} s: {word}");
        jumps += 1;
    }
    // A clock that is once a year ahead fills the limit for a day from when it is right again, and
    // a year later it does not matter.
    const YEAR: i64 = 365 * DAY;
    let steps = [
        (3 * DAY + YEAR, "settled"),
        (3 * DAY, "over_budget"),
        (4 * DAY - 60, "over_budget"),
        (4 * DAY + 60, "settled"),
        (3 * DAY + YEAR + 60, "settled"),
    ];
    for (ahead, expected) in steps {
        wallet.shim.set_clock(ahead)?;
        wallet.restart_after(0).await?;
        let word = pay_token(850, &format!("{ahead}")).await?;
        must!(word == expected, "the third window, {ahead} s: {word}");
        jumps += 1;
    }
    let left: u64 = scene.mint.paid()?.iter().filter_map(|paid| paid.took_sats).sum();
    must!(left <= 2_000, "{left} sats left in two windows of 1,000");
    scene.conserved().await?;
    Ok(Proof::of(jumps))
}
