//! Rows F-108 to F-110, F-114 and F-116 to F-118: limits in a crowd, small drains, repetitions.

use std::time::Duration;

use futures::future::join_all;
use rand::Rng;
use serde_json::{Value, json};
use testbed::harness::{Answer, Client, Limits, Outcome, Settings};
use testbed::must;
use testbed::{Behaviour, InvoiceSpec, MintOptions};
use tokio::task::JoinSet;

use crate::scene::LONG;
use crate::stage::Stage;
use crate::trial::Run;

/// A hundred payments at once, of which the day allows fewer than ten: what leaves is never more
/// than that, fees included.
pub(crate) async fn f108(run: Run) -> Outcome<usize> {
    let mut denied = 0;
    let mut chance = run.chance();
    for _ in 0..run.pick(20, 2) {
        let limits = Limits { per_payment: 1_000, per_day: 1_000 };
        let stage = Stage::with(&run, MintOptions::default(), 8_000, limits).await?;
        stage
            .scene
            .proxy
            .set_delay(Duration::from_millis(chance.random_range(0..run.pick(2_000, 200))));
        let mut calls = JoinSet::new();
        for number in 0..100 {
            let (wallet, invoice) = (std::sync::Arc::clone(&stage.wire), stage.invoice(100)?);
            let (tool, arguments) = match number % 4 {
                3 => ("send_token", json!({"amount_sats": 100, "memo": number.to_string()})),
                _ => ("pay", json!({"to": invoice})),
            };
            calls.spawn(async move { wallet.told(tool, arguments).await });
        }
        while let Some(told) = calls.join_next().await {
            let told = told??;
            denied += usize::from(told.is_error);
            must!(!told.is_error || told.text("money_moved") == "no", "{told}");
        }
        let out = stage.paid_out()? + stage.wire.holds().await?.unclaimed;
        must!(out <= 1_000, "{out} sats left");
        stage.scene.proxy.set_delay(Duration::ZERO);
        let balance = stage.wire.ok("get_balance", json!({})).await?;
        let spent = balance.sats("limits/spent_24h_sats");
        must!(spent >= out && spent <= 1_000, "{out} sats left, and {spent} are counted");
        stage.conserved().await?;
    }
    Ok(denied)
}

/// One day for all agents together, in four processes at once, two of them of one agent; and for
/// that agent a smaller one of its own.
pub(crate) async fn f109(run: Run) -> Outcome<usize> {
    let limits = Limits { per_payment: 500, per_day: 1_000 };
    let stage = Stage::with(&run, MintOptions::default(), 8_000, limits).await?;
    let more = "[agents.default]\n[agents.small]\nper_day_sats = 150\n[daemon]\nidle_seconds = 3\n";
    stage.wire.home.configure(&Settings::at([stage.url()]).limits(limits).more(more))?;
    stage.wire.share().await?;
    let mut sessions = Vec::new();
    for agent in ["small", "tester", "other", "small"] {
        sessions.push((agent, stage.wire.another(agent).await?));
    }
    let (mut denied, mut of_small) = (0, 0);
    // At once, so that all of them find the day unspent; then one after the other, so that nothing
    // is left of it.
    let invoices =
        (0..sessions.len() * 12).map(|_| stage.invoice(100)).collect::<Outcome<Vec<_>>>()?;
    let mut calls = Vec::new();
    for (place, invoice) in invoices.into_iter().enumerate() {
        let (agent, session) = sessions.get(place % sessions.len()).ok_or("no session")?;
        calls.push(async move {
            session.told("pay", json!({"to": invoice})).await.map(|told| (*agent, told))
        });
    }
    let mut answers = join_all(calls).await.into_iter().collect::<Outcome<Vec<_>>>()?;
    for (agent, session) in &sessions {
        for _ in 0..3 {
            answers.push((agent, session.told("pay", json!({"to": stage.invoice(100)?})).await?));
        }
    }
    for (agent, told) in answers {
        denied += usize::from(told.is_error);
        must!(!told.is_error || told.text("money_moved") == "no", "{told}");
        if agent == "small" {
            of_small += told.sats("total_sats");
        }
    }
    must!((100..=150).contains(&of_small), "the small agent spent {of_small}");
    let out = stage.paid_out()?;
    must!((800..=1_000).contains(&out), "all together spent {out}");
    for (_, session) in sessions {
        session.close().await?;
    }
    stage.scene.conserved().await?;
    Ok(denied)
}

/// Payments that cost a fee, payments that fail: what is counted is what it cost, once, and what
/// failed is not counted.
pub(crate) async fn f110(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 50_000).await?;
    stage.scene.lightning.set_fee(1, 2_000);
    let mut failed = 0;
    for number in 0..run.pick(100, 20) {
        let (invoice, hash) = stage.scene.invoice(150 + number)?;
        if number % 2 == 0 {
            stage.scene.lightning.set_behaviour_of(&hash, Behaviour::Fail);
            let told = stage.wire.told("pay", json!({"to": invoice})).await?;
            must!(told.is_harmless_refusal(), "{told}");
            failed += 1;
        } else {
            let told = stage.wire.ok("pay", json!({"to": invoice})).await?;
            must!(told.text("state") == "settled", "{told}");
        }
        let balance = stage.wire.ok("get_balance", json!({})).await?;
        let spent = balance
            .value
            .pointer("/limits/spent_24h_sats")
            .and_then(Value::as_u64)
            .unwrap_or(u64::MAX);
        let out = stage.paid_out()?;
        must!(spent == out, "{out} sats left, and {spent} are counted");
    }
    stage.conserved().await?;
    Ok(failed)
}

/// The wallet drained by one sat at a time: the day's limit holds over the sum.
pub(crate) async fn f114(run: Run) -> Outcome<usize> {
    let limits = Limits { per_payment: 10, per_day: 30 };
    let stage = Stage::with(&run, MintOptions::default(), 2_000, limits).await?;
    let mut denied = 0;
    for number in 0..run.pick(200, 60) {
        let told = match number % 3 {
            0 => {
                stage
                    .wire
                    .told("send_token", json!({"amount_sats": 1, "memo": number.to_string()}))
                    .await?
            }
            _ => stage.wire.told("pay", json!({"to": stage.invoice(1)?})).await?,
        };
        denied += usize::from(told.is_error);
    }
    let out = stage.paid_out()? + stage.wire.holds().await?.unclaimed;
    must!((10..=30).contains(&out), "{out} sats left");
    stage.conserved().await?;
    Ok(denied)
}

/// The same call with the same key, also after restarts and from another agent's session: one
/// payment, one answer.
pub(crate) async fn f116(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let mut repeats = 0;
    let calls = [
        ("pay", json!({"to": stage.invoice(100)?, "idempotency_key": "pay-1"})),
        ("send_token", json!({"amount_sats": 64, "memo": "one", "idempotency_key": "send-1"})),
        ("deposit", json!({"amount_sats": 50, "idempotency_key": "deposit-1"})),
    ];
    for (tool, arguments) in &calls {
        let first = stage.wire.ok(tool, arguments.clone()).await?;
        for round in 0..5 {
            if round % 2 == 1 {
                stage.wire.restart().await?;
            }
            let again = stage.wire.ok(tool, arguments.clone()).await?;
            must!(is_same(&first, &again), "{tool}: {first} and then {again}");
            repeats += 1;
        }
    }
    must!(stage.melts()?.1 == 1, "paid {} times", stage.melts()?.1);
    repeats += in_other_processes(&stage, &calls).await?;
    stage.scene.conserved().await?;
    Ok(repeats)
}

/// The calls again, in five processes at once; and new ones, which nobody has made before.
async fn in_other_processes(stage: &Stage, calls: &[(&'static str, Value)]) -> Outcome<usize> {
    let mut firsts = Vec::new();
    for (tool, arguments) in calls {
        firsts.push(Some(stage.wire.ok(tool, arguments.clone()).await?));
    }
    stage.wire.share().await?;
    let sessions = join_all((0..5).map(|_| stage.wire.another("tester")))
        .await
        .into_iter()
        .collect::<Outcome<Vec<_>>>()?;
    let fresh = [
        ("pay", json!({"to": stage.invoice(101)?, "idempotency_key": "pay-2"})),
        ("send_token", json!({"amount_sats": 65, "memo": "two", "idempotency_key": "send-2"})),
    ];
    firsts.resize(calls.len() + fresh.len(), None);
    let mut repeats = 0;
    for ((tool, arguments), mut first) in calls.iter().chain(&fresh).zip(firsts) {
        let at_once =
            join_all(sessions.iter().map(|session| session.ok(tool, arguments.clone()))).await;
        // While it is under way the others are told so: the same payment all the same.
        let at_once = at_once.into_iter().collect::<Outcome<Vec<_>>>()?;
        let ids = |answer: &Answer| {
            (answer.text("payment_id").to_owned(), answer.text("deposit_id").to_owned())
        };
        must!(
            at_once.iter().all(|answer| Some(ids(answer)) == at_once.first().map(ids)),
            "{tool}: not the same: {at_once:?}"
        );
        for session in &sessions {
            let answer = session.ok(tool, arguments.clone()).await?;
            let first = first.get_or_insert_with(|| answer.clone());
            must!(is_same(first, &answer), "{tool}: {first} and in another process {answer}");
            repeats += 2;
        }
    }
    must!(stage.melts()?.1 == 2, "paid {} times", stage.melts()?.1);
    for session in sessions {
        session.close().await?;
    }
    Ok(repeats)
}

/// Both tell of the same payment, token or deposit.
fn is_same(one: &Answer, other: &Answer) -> bool {
    ["payment_id", "deposit_id", "preimage", "token"]
        .iter()
        .all(|field| one.text(field) == other.text(field))
}

/// The same key for something else: refused.
pub(crate) async fn f117(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let invoice = stage.invoice(100)?;
    stage.wire.ok("pay", json!({"to": invoice, "idempotency_key": "k"})).await?;
    let others = [
        ("pay", json!({"to": stage.invoice(100)?, "idempotency_key": "k"})),
        ("pay", json!({"to": stage.invoice(101)?, "idempotency_key": "k"})),
        ("send_token", json!({"amount_sats": 100, "idempotency_key": "k"})),
    ];
    let mut refused = 0;
    for (tool, arguments) in others {
        stage.wire.refuses(tool, arguments.clone(), &["key_conflict"]).await?;
        stage.wire.restart().await?;
        stage.wire.refuses(tool, arguments, &["key_conflict"]).await?;
        refused += 2;
    }
    must!(stage.melts()? == (1, 1), "{:?}", stage.melts()?);
    stage.conserved().await?;
    Ok(refused)
}

/// No key: the same invoice is paid once; the same payee and amount after an answer that left it
/// open asks a person.
pub(crate) async fn f118(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let shop = stage.scene.lightning.payee("the shop");
    let invoice =
        || shop.invoice_with(&InvoiceSpec { expiry_seconds: LONG, ..InvoiceSpec::sats(100, "") });
    let first = invoice()?;
    stage.scene.lightning.set_behaviour_of(first.payment_hash(), Behaviour::Pending);
    let told = stage.wire.ok("pay", json!({"to": first.to_string()})).await?;
    must!(told.text("state") == "pending", "{told}");
    let again = stage.wire.ok("pay", json!({"to": first.to_string()})).await?;
    must!(again.text("payment_id") == told.text("payment_id") && again.is("replayed"), "{again}");
    let mut asked = 0;
    for round in 0..3 {
        let arguments =
            json!({"to": invoice()?.to_string(), "idempotency_key": format!("another-{round}")});
        stage.wire.refuses("pay", arguments, &["possible_duplicate"]).await?;
        asked += 1;
        if round == 1 {
            stage.wire.restart().await?;
        }
    }
    stage.scene.lightning.settle(first.payment_hash());
    stage.becomes(told.text("payment_id"), "settled").await?;
    stage.wire.ok("send_token", json!({"amount_sats": 32, "memo": "twice"})).await?;
    let twice = stage
        .wire
        .refuses("send_token", json!({"amount_sats": 32, "memo": "twice"}), &["possible_duplicate"])
        .await?;
    let repeat = json!({"amount_sats": 32, "memo": "twice", "repeat_of": twice.text("payment_id")});
    stage.wire.ok("send_token", repeat).await?;
    must!(stage.melts()?.1 == 1, "paid {} times", stage.melts()?.1);
    stage.conserved().await?;
    Ok(asked + 1)
}
