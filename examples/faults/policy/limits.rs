//! Rows F-108 to F-110, F-114 and F-116 to F-118: limits in a crowd, small drains, repetitions.

use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};
use testbed::{Behaviour, InvoiceSpec, MintOptions};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::home::Limits;
use crate::scene::LONG;
use crate::stage::{Stage, must};
use crate::trial::Run;

/// A hundred payments at once, of which the day allows fewer than ten: what leaves is never more than that, fees included.
pub(crate) async fn f108(run: Run) -> Outcome<usize> {
    let mut denied = 0;
    let mut chance = run.chance();
    for _ in 0..run.pick(20, 2) {
        let limits = Limits { per_payment: 1_000, per_day: 1_000 };
        let stage = Stage::with(&run, MintOptions::default(), 8_000, limits).await?;
        stage.scene.proxy.set_delay(Duration::from_millis(chance.random_range(0..run.pick(2_000, 200))));
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
            must!(!told.is_error || told.text("money_moved") == "no", "{}", told.value);
        }
        let out = stage.paid_out()? + stage.wire.holds().await?.unclaimed;
        must!(out <= 1_000, "{out} sats left");
        stage.scene.proxy.set_delay(Duration::ZERO);
        let balance = stage.wire.ok("get_balance", json!({})).await?;
        let spent = balance.value.pointer("/limits/spent_24h_sats").and_then(Value::as_u64).unwrap_or(0);
        must!(spent >= out && spent <= 1_000, "{out} sats left, and {spent} are counted");
        stage.conserved().await?;
    }
    Ok(denied)
}

/// One day for all agents together, one after the other on the same wallet, and for each its own.
pub(crate) async fn f109(run: Run) -> Outcome<usize> {
    let limits = Limits { per_payment: 500, per_day: 1_000 };
    let stage = Stage::with(&run, MintOptions::default(), 8_000, limits).await?;
    stage.wire.home.write_config(&[stage.url()], limits, "[agents.default]\n[agents.small]\nper_day_sats = 150\n")?;
    let mut denied = 0;
    for agent in ["small", "tester", "other", "small"] {
        stage.wire.close().await?;
        let session = stage.wire.another(agent).await?;
        let before = stage.paid_out()?;
        for _ in 0..12 {
            let told = session.call("pay", json!({"to": stage.invoice(100)?})).await?.ok_or("it ended")?;
            denied += usize::from(told.is_error);
            must!(!told.is_error || told.text("money_moved") == "no", "{}", told.value);
        }
        let out = stage.paid_out()? - before;
        must!(agent != "small" || out <= 150, "{agent} spent {out}");
        must!(stage.paid_out()? <= 1_000, "all together spent {}", stage.paid_out()?);
        session.close().await?;
    }
    must!(stage.paid_out()? >= 800, "only {} were spent: the rules are not what the row thinks", stage.paid_out()?);
    stage.conserved().await?;
    Ok(denied)
}

/// Payments that cost a fee, payments that fail: what is counted is what it cost, once, and what failed is not counted.
pub(crate) async fn f110(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 50_000).await?;
    stage.scene.lightning.set_fee(1, 2_000);
    let mut failed = 0;
    for number in 0..run.pick(100, 20) {
        let (invoice, hash) = stage.scene.invoice(150 + number)?;
        if number % 2 == 0 {
            stage.scene.lightning.set_behaviour_of(&hash, Behaviour::Fail);
            let told = stage.wire.told("pay", json!({"to": invoice})).await?;
            must!(told.is_error && told.text("money_moved") == "no", "{}", told.value);
            failed += 1;
        } else {
            let told = stage.wire.ok("pay", json!({"to": invoice})).await?;
            must!(told.text("state") == "settled", "{}", told.value);
        }
        let balance = stage.wire.ok("get_balance", json!({})).await?;
        let spent = balance.value.pointer("/limits/spent_24h_sats").and_then(Value::as_u64).unwrap_or(u64::MAX);
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
            0 => stage.wire.told("send_token", json!({"amount_sats": 1, "memo": number.to_string()})).await?,
            _ => stage.wire.told("pay", json!({"to": stage.invoice(1)?})).await?,
        };
        denied += usize::from(told.is_error);
    }
    let out = stage.paid_out()? + stage.wire.holds().await?.unclaimed;
    must!((10..=30).contains(&out), "{out} sats left");
    stage.conserved().await?;
    Ok(denied)
}

/// The same call with the same key, also after restarts and from another agent's session: one payment, one answer.
pub(crate) async fn f116(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let mut repeats = 0;
    let calls = [
        ("pay", json!({"to": stage.invoice(100)?, "idempotency_key": "pay-1"})),
        ("send_token", json!({"amount_sats": 64, "memo": "one", "idempotency_key": "send-1"})),
        ("deposit", json!({"amount_sats": 50, "idempotency_key": "deposit-1"})),
    ];
    for (tool, arguments) in calls {
        let first = stage.wire.ok(tool, arguments.clone()).await?;
        for round in 0..5 {
            if round % 2 == 1 {
                stage.wire.restart().await?;
            }
            let again = stage.wire.ok(tool, arguments.clone()).await?;
            let same = ["payment_id", "deposit_id", "preimage", "token"].iter().all(|field| again.text(field) == first.text(field));
            must!(same, "{tool}: {} and then {}", first.value, again.value);
            repeats += 1;
        }
    }
    must!(stage.melts()?.1 == 1, "paid {} times", stage.melts()?.1);
    stage.conserved().await?;
    Ok(repeats)
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

/// No key: the same invoice is paid once; the same payee and amount after an answer that left it open asks a person.
pub(crate) async fn f118(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let shop = stage.scene.lightning.payee("the shop");
    let invoice = || shop.invoice_with(&InvoiceSpec { expiry_seconds: LONG, ..InvoiceSpec::sats(100, "") });
    let first = invoice()?;
    stage.scene.lightning.set_behaviour_of(first.payment_hash(), Behaviour::Pending);
    let told = stage.wire.ok("pay", json!({"to": first.to_string()})).await?;
    must!(told.text("state") == "pending", "{}", told.value);
    let again = stage.wire.ok("pay", json!({"to": first.to_string()})).await?;
    must!(again.text("payment_id") == told.text("payment_id") && again.is("replayed"), "{}", again.value);
    let mut asked = 0;
    for round in 0..3 {
        let arguments = json!({"to": invoice()?.to_string(), "idempotency_key": format!("another-{round}")});
        stage.wire.refuses("pay", arguments, &["possible_duplicate"]).await?;
        asked += 1;
        if round == 1 {
            stage.wire.restart().await?;
        }
    }
    stage.scene.lightning.settle(first.payment_hash());
    stage.becomes(told.text("payment_id"), "settled").await?;
    stage.wire.ok("send_token", json!({"amount_sats": 32, "memo": "twice"})).await?;
    let twice = stage.wire.refuses("send_token", json!({"amount_sats": 32, "memo": "twice"}), &["possible_duplicate"]).await?;
    let repeat = json!({"amount_sats": 32, "memo": "twice", "repeat_of": twice.text("payment_id")});
    stage.wire.ok("send_token", repeat).await?;
    must!(stage.melts()?.1 == 1, "paid {} times", stage.melts()?.1);
    stage.conserved().await?;
    Ok(asked + 1)
}
