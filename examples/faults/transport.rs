//! The way to the mint: answers lost, requests cut off, silence, drips, refusals, floods, and melts that arrive late.

use serde_json::json;
use testbed::{MintOptions, Moment, Rule};

use crate::scene::{LONG, Scene};
use crate::table::How::{NotYet, Runs};
use crate::table::Severity::{S1, S2, S3};
use crate::table::{Proof, Row};
use crate::trial::Run;
use crate::{Outcome, holds};

pub(crate) const ROWS: &[Row] = &[
    Row::new("F-016", S1, "swap processed, answer dropped", NotYet("no row yet")).at_any_mint(),
    Row::new("F-017", S1, "melt processed, answer dropped", Runs(|run| Box::pin(melt_answer_dropped(run)))).at_any_mint(),
    Row::new("F-018", S1, "issue processed, answer dropped", NotYet("no row yet")).at_any_mint(),
    Row::new("F-019", S3, "answer to a quote dropped", NotYet("no row yet")).at_any_mint(),
    Row::new("F-020", S2, "connection reset before the mint gets the request", NotYet("no row yet")).at_any_mint(),
    Row::new("F-021", S2, "accepted and never answered, at each endpoint", NotYet("no row yet")),
    Row::new("F-022", S2, "answered one byte a second", NotYet("no row yet")),
    Row::new("F-023", S2, "500, 502, 503 with a page, at each endpoint", NotYet("no row yet")),
    Row::new("F-024", S3, "429 with Retry-After: 3600", NotYet("no row yet")),
    Row::new("F-025", S2, "cut JSON, wrong content type, random bytes, UTF-16", NotYet("no row yet")),
    Row::new("F-026", S2, "1 GiB answer, lying length, gzip bomb, deep JSON, a million keysets", NotYet("no row yet")),
    Row::new("F-027", S1, "melt delivered late: 10 s, 60 s, after the quote's expiry, after a restart", NotYet("no row yet")),
    Row::new("F-028", S2, "melt pending for an hour, then paid, or failed", NotYet("no row yet")),
    Row::new("F-029", S2, "websocket: dropped, silent, repeating, wrong, flooding, lying", NotYet("no row yet")),
    Row::new("F-030", S2, "no name, no route, certificates that are wrong", NotYet("no row yet")),
    Row::new("F-031", S1, "partition in the middle of 10 operations, healed after 5 minutes", NotYet("no row yet")),
    Row::new("F-032", S1, "an error's text of 1 MiB with instructions", NotYet("no row yet")),
];

async fn melt_answer_dropped(run: Run) -> Outcome<Proof> {
    let mut fired = 0;
    for replay_seconds in [Some(60), None] {
        let options = MintOptions { replay_seconds, mint_quote_ttl: LONG, melt_quote_ttl: LONG, ..MintOptions::default() };
        let scene = Scene::with(&run, options).await?;
        let wallet = scene.funded(1_000).await?;
        for (sats, restarted) in [(50, false), (51, true), (52, false)] {
            let (invoice, hash) = scene.invoice(sats)?;
            let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::AfterMint).every());
            let told = wallet.told("pay", json!({"to": invoice})).await?;
            holds(!told.is_error && told.text("state") != "failed", format!("paid, and told: {}", told.value))?;
            fired += scene.proxy.fired(rule);
            scene.proxy.clear();
            if restarted {
                wallet.restart().await?;
            }
            let ended = wallet.ended_by_hash(&hash).await?;
            scene.agrees(&ended, &hash)?;
            let again = wallet.ok("pay", json!({"to": invoice})).await?;
            holds(again.is("replayed") && again.text("state") == "settled", format!("not a replay: {}", again.value))?;
            let took = scene.mint.paid()?.into_iter().find(|paid| paid.payment_hash == hash).map(|paid| paid.took_sats);
            holds(took == Some(again.sats("total_sats")), format!("said {}, the mint took {took:?}", again.value))?;
        }
        scene.conserved().await?;
    }
    Ok(Proof::of(fired))
}
