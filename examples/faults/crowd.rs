//! Many at once, long waits, clocks that jump, clients that misbehave, and what holds over the whole run.

use futures::future::join_all;
use serde_json::json;

use crate::scene::Scene;
use crate::table::How::{AtEnd, NotYet, Runs};
use crate::table::Severity::{S1, S2, S3};
use crate::table::{Proof, Row};
use crate::trial::Run;
use crate::{Outcome, holds};

pub(crate) const ROWS: &[Row] = &[
    Row::new("F-050", S1, "50 payments at once, 50 invoices", NotYet("no row yet")),
    Row::new("F-051", S1, "50 payments at once, one invoice, with and without a key", Runs(|run| Box::pin(one_invoice(run)))).at_any_mint(),
    Row::new("F-052", S1, "a soak of all verbs, 20 workers", NotYet("no row yet")),
    Row::new("F-059", S2, "stopped in the middle of a payment, and going on later", NotYet("no row yet")),
    Row::new("F-107", S2, "an invoice held for an hour", NotYet("no row yet")),
    Row::new("F-111", S1, "the clock a day ahead, a day back, restarts at the window's edge", NotYet("no row yet")),
    Row::new("F-123", S2, "lines of 16 MiB, deep, broken, out of turn, 100,000 notices", NotYet("no row yet")),
    Row::new("F-126", S3, "a client that stops reading", NotYet("no row yet")),
    Row::new("F-139", S2, "every line on standard output of this whole run", AtEnd(|run| Box::pin(every_line(run)))).at_any_mint(),
    Row::new("F-140", S2, "started with the mint down", NotYet("no row yet")),
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
        holds(ended.text("state") == "settled", format!("not paid: {}", ended.value))?;
        for answer in &answers {
            let same = !answer.is_error && answer.text("payment_id") == ended.text("payment_id");
            holds(same, format!("an answer that is not that of the one payment: {}", answer.value))?;
        }
        holds(scene.times_paid(&hash)? == 1, "not paid exactly once")?;
        calls += answers.len();
    }
    scene.conserved().await?;
    Ok(Proof::of(calls))
}

async fn every_line(run: Run) -> Outcome<Proof> {
    let (lines, wrong) = run.watch.lines();
    holds(wrong.is_empty(), format!("{} lines are no messages, the first: {:?}", wrong.len(), wrong.first()))?;
    Ok(Proof::of(lines).saying(format!("{lines} lines, slowest call {:.1} s", run.watch.slowest().as_secs_f64())))
}
