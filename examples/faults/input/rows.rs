//! Rows F-098 to F-100 and F-122 to F-125: invoices, amounts, tokens and calls as a hostile or
//! careless agent gives them.

use std::sync::Arc;
use std::time::Duration;

use cdk_common::nuts::nut00::ProofV4;
use cdk_common::nuts::{CurrencyUnit, SecretKey, Token, TokenV4};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use testbed::harness::input::{self, KEYSET, NO_AMOUNTS, TEST_NETWORKS, token_v4};
use testbed::harness::{Client, Limits, NOBODY, Outcome, Settings, WIDE};
use testbed::must;
use testbed::{Behaviour, InvoiceSpec, MintOptions, TestMint};
use tokio::task::JoinSet;

use crate::stage::Stage;
use crate::trial::Run;

/// Longer than any answer may take.
const LONG: Duration = Duration::from_secs(60);

/// How many calls are made beside one another where there are very many.
const AT_ONCE: usize = 16;

/// Invoices that cannot be paid as they are, and odd ones that can: a typed answer, and no quote
/// for what is refused.
pub(crate) async fn f098(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 0).await?;
    let wire = stage.real_wallet()?;
    wire.fund(5_000).await?;
    let shop = stage.scene.lightning.payee("shop");
    let text = |spec: InvoiceSpec| -> Outcome<String> { Ok(shop.invoice_with(&spec)?.to_string()) };
    let mut refused = input::unpayable(&shop)?;
    for network in TEST_NETWORKS {
        let invoice = text(InvoiceSpec { network, ..InvoiceSpec::sats(10, "") })?;
        refused.push((json!({"to": invoice}), "wrong_network"));
    }
    let fired = refused.len();
    for (arguments, code) in refused {
        wire.refuses("pay", arguments, &[code]).await?;
    }
    let asked = stage.scene.proxy.count(|one| one.path.starts_with("/v1/melt"));
    must!(asked == 0, "the mint was asked {asked} times for what is refused");
    let good = || text(InvoiceSpec::sats(10, ""));
    let odd = [
        good()?.to_uppercase(),
        format!("lightning:{}", good()?),
        format!("LIGHTNING:{}", good()?.to_uppercase()),
        text(InvoiceSpec::sats(10, &"d".repeat(600)))?,
    ];
    for invoice in odd {
        let told = wire.ok("pay", json!({"to": invoice})).await?;
        must!(
            told.text("state") == "settled" && told.sats("amount_sats") == 10,
            "{invoice}: {told}"
        );
    }
    let dust = wire
        .told(
            "pay",
            json!({"to": text(InvoiceSpec { amount_msat: Some(1), ..InvoiceSpec::default() })?}),
        )
        .await?;
    must!(dust.is_error || dust.sats("amount_sats") == 1, "{dust}");
    stage.conserved().await?;
    Ok(fired)
}

/// An invoice that is paid, or being paid: the earlier result.
pub(crate) async fn f099(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let invoice = stage.invoice(100)?;
    let first = stage.wire.ok("pay", json!({"to": invoice})).await?;
    let held = stage.scene.lightning.payee("slow").invoice(70, "")?;
    stage.scene.lightning.set_behaviour_of(held.payment_hash(), Behaviour::Pending);
    let slow = stage.wire.ok("pay", json!({"to": held.to_string()})).await?;
    must!(slow.text("state") == "pending", "{slow}");
    let mut repeats = 0;
    for key in [json!(null), json!("another key")] {
        for _ in 0..2 {
            for (invoice, was) in [(&invoice, &first), (&held.to_string(), &slow)] {
                let arguments = if key.is_null() {
                    json!({"to": invoice})
                } else {
                    json!({"to": invoice, "idempotency_key": key})
                };
                let again = stage.wire.ok("pay", arguments).await?;
                let same = ["payment_id", "state", "preimage"]
                    .iter()
                    .all(|field| again.text(field) == was.text(field));
                must!(
                    same && again.value.get("replayed") == Some(&json!(true)),
                    "{was} and then {again}"
                );
                repeats += 1;
            }
            stage.wire.restart().await?;
        }
    }
    stage.scene.lightning.settle(held.payment_hash());
    stage.becomes(slow.text("payment_id"), "settled").await?;
    must!(stage.melts()? == (2, 2), "melts: {:?}", stage.melts()?);
    stage.conserved().await?;
    Ok(repeats)
}

/// Our own invoice: paid at the mint that made it, and from another mint of ours.
pub(crate) async fn f100(run: Run) -> Outcome<usize> {
    let stage = Stage::unpaid(&run).await?;
    let other = TestMint::start(
        &stage.scene.lightning,
        MintOptions { auto_pay: None, ..MintOptions::named("other") },
    )
    .await?;
    let wire = stage.scene.wallet_at(&[stage.url(), other.url()], WIDE)?;
    let first = wire.ok("deposit", json!({"amount_sats": 1_000, "mint": stage.url()})).await?;
    stage.scene.pay_from_outside(first.text("bolt11"))?;
    wire.receives(&first).await?;
    let mut fired = 0;
    for at in [stage.url(), other.url()] {
        let own = wire.ok("deposit", json!({"amount_sats": 100, "mint": at})).await?;
        let paid = wire.told("pay", json!({"to": own.text("bolt11"), "mint": stage.url()})).await?;
        must!(!paid.is_error || paid.text("money_moved") == "no", "{paid}");
        must!(paid.is_error || paid.text("state") == "settled", "{paid}");
        if !paid.is_error {
            wire.receives(&own).await?;
        }
        fired += 1;
    }
    let balance = wire.ok("get_balance", json!({})).await?;
    for (url, owed) in [
        (stage.url(), stage.mint()?.auditor().outstanding()?),
        (other.url(), other.auditor().outstanding()?),
    ] {
        let mints = balance.list("mints").to_vec();
        let here = mints
            .iter()
            .find(|mint| mint.get("mint") == Some(&json!(url)))
            .ok_or("a mint is not shown")?;
        let sum: u64 = ["spendable_sats", "pending_sats"]
            .iter()
            .filter_map(|field| here.get(field)?.as_u64())
            .sum();
        must!(sum == owed, "{sum} at {url}, which owes {owed}");
    }
    Ok(fired)
}

/// Amounts that are none: a typed error, and nothing moves.
pub(crate) async fn f122(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let amountless = stage.scene.lightning.payee("shop").amountless("")?.to_string();
    let long = "9".repeat(1_000);
    let mut fired = 0;
    for amount in NO_AMOUNTS.iter().copied().chain(["null", &long]) {
        let calls = [
            ("deposit", format!(r#"{{"amount_sats":{amount}}}"#)),
            ("send_token", format!(r#"{{"amount_sats":{amount},"memo":"a"}}"#)),
            ("pay", format!(r#"{{"to":"{amountless}","amount_sats":{amount}}}"#)),
        ];
        for (tool, arguments) in calls {
            // What is not JSON has no id to answer to.
            if let Some(told) =
                stage.wire.call_text(tool, &arguments, Duration::from_secs(3)).await?
            {
                must!(told.is_error, "{tool} took {amount}: {told}");
                must!(
                    told.code() == "protocol" || told.text("money_moved") == "no",
                    "{tool} {amount}: {told}"
                );
            }
            fired += 1;
        }
    }
    for (tool, arguments) in [
        ("send_token", r#"{"amount_msat":5000}"#),
        ("send_token", r#"{"amount":5}"#),
        ("deposit", r#"{"amount_sats":5,"unit":"msat"}"#),
        ("send_token", r#"{"amount_sats":5,"amount_msat":5000}"#),
    ] {
        let told = stage.wire.call_text(tool, arguments, LONG).await?.ok_or("no answer")?;
        must!(told.code() == "invalid_input", "{tool} {arguments}: {told}");
    }
    for (exact, sats) in [("5.0", 5), ("1e2", 100)] {
        let arguments = format!(r#"{{"amount_sats":{exact},"memo":"{exact}"}}"#);
        let told =
            stage.wire.call_text("send_token", &arguments, LONG).await?.ok_or("no answer")?;
        must!(told.is_error || told.sats("amount_sats") == sats, "{exact}: {told}");
    }
    must!(stage.melts()? == (0, 0), "something was paid");
    stage.conserved().await?;
    Ok(fired)
}

/// Tokens that are broken, too large, forged, inflated, locked to others: refused, or worth what
/// the mint gives for them.
pub(crate) async fn f124(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 100).await?;
    let friend = stage.friend(5_000).await?;
    let gift = friend.ok("send_token", json!({"amount_sats": 77})).await?;
    let locked = friend.ok("send_token", json!({"amount_sats": 9, "lock_to": NOBODY})).await?;
    let before = stage.wire.holds().await?;
    let mut fired = 0;
    for (token, code) in input::tokens(&stage.url()) {
        stage.wire.refuses("receive_token", json!({"token": token}), &[code]).await?;
        fired += 1;
    }
    for token in hostile_tokens(gift.text("token"), locked.text("token"), &stage.url())? {
        let told = stage.wire.told("receive_token", json!({"token": token})).await?;
        must!(told.is_harmless_refusal(), "{token}: {told}");
        fired += 1;
    }
    must!(stage.wire.holds().await? == before, "something was counted");
    let taken = stage.wire.ok("receive_token", json!({"token": gift.text("token")})).await?;
    must!(taken.text("state") == "received", "the true one is still good: {taken}");
    stage.conserved().await?;
    stage.all_is_good().await?;
    Ok(fired)
}

/// Tokens made of a good one and of one that is locked to another, and forged ones.
fn hostile_tokens(good: &str, locked: &str, url: &str) -> Outcome<Vec<String>> {
    let token = token_v4(good)?;
    let changed = |change: &dyn Fn(&mut TokenV4)| {
        let mut token = token.clone();
        change(&mut token);
        Token::TokenV4(token).to_string()
    };
    let first = |change: &dyn Fn(&mut ProofV4)| {
        changed(&|token| {
            if let Some(proof) = token.token.first_mut().and_then(|part| part.proofs.first_mut()) {
                change(proof);
            }
        })
    };
    let half = good.get(..good.len() / 2).unwrap_or_default();
    Ok(vec![
        String::new(),
        "cashuC".to_owned() + half,
        half.to_owned(),
        format!("{good}{good}"),
        format!("cashuB{}", "A".repeat(2_000_000)),
        input::token(url, "sat", &[input::coin(8, KEYSET, "forged")]),
        first(&|proof| proof.amount = (proof.amount.to_u64() * 2).into()),
        first(&|proof| proof.amount = (1u64 << 62).into()),
        first(&|proof| proof.c = SecretKey::generate().public_key()),
        changed(&|token| {
            if let Some(part) = token.token.first_mut() {
                part.proofs.extend(part.proofs.clone());
            }
        }),
        changed(&|token| token.unit = CurrencyUnit::Usd),
        locked.to_owned(),
    ])
}

/// A great many calls with arguments changed at random: no call ends the session, and none moves
/// anything.
pub(crate) async fn f125(run: Run) -> Outcome<usize> {
    let stage = Stage::unpaid(&run).await?;
    let deposit = stage.wire.ok("deposit", json!({"amount_sats": 1_000})).await?;
    stage.pays(&deposit).await?;
    // No room for a payment: whatever is well-formed by chance moves nothing either.
    let nothing = Limits { per_payment: 0, per_day: 0 };
    stage.wire.home.configure(&Settings::at([stage.url()]).limits(nothing))?;
    stage.wire.restart().await?;
    let tools = stage.wire.session().await?.tools().await?;
    must!(tools.len() >= 11, "{} tools", tools.len());
    let (mut chance, calls) = (run.chance(), run.pick(100_000, 5_000));
    let invoice = stage.invoice(5)?;
    let mut made = 0;
    while made < calls {
        let mut beside = JoinSet::new();
        for _ in 0..AT_ONCE.min(calls - made) {
            let (name, arguments) = mutated(&mut chance, &tools, &invoice)?;
            let wallet = Arc::clone(&stage.wire);
            beside.spawn(async move {
                (wallet.call_text(&name, &arguments, LONG).await, name, arguments)
            });
            made += 1;
        }
        while let Some(done) = beside.join_next().await {
            let (told, name, arguments) = done?;
            let told = told?.ok_or_else(|| format!("{name} {arguments} was not answered"))?;
            let harmless =
                !told.is_error || told.code() == "protocol" || told.text("money_moved") == "no";
            must!(harmless, "{name} {arguments}: {told}");
        }
    }
    must!(stage.melts()? == (0, 0), "something was paid");
    must!(
        stage.wire.holds().await?.spendable == 1_000,
        "the balance moved: {:?}",
        stage.wire.holds().await?
    );
    stage.conserved().await?;
    Ok(calls)
}

/// A tool of the list, and arguments for it that are as wrong as chance will have it. A call
/// without arguments is rare: nothing of it is mutated, and it makes the wallet ask its mint, to
/// which it keeps a pace.
fn mutated(chance: &mut StdRng, tools: &[Value], invoice: &str) -> Outcome<(String, String)> {
    loop {
        let tool = tools.get(chance.random_range(0..tools.len())).ok_or("a tool")?;
        let name = tool.get("name").and_then(Value::as_str).ok_or("a name")?;
        let fields = tool
            .pointer("/inputSchema/properties")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let mut arguments = serde_json::Map::new();
        for field in fields.keys().map(String::as_str).chain(["extra"]) {
            if chance.random_bool(0.5)
                && field != "wait_seconds"
                && (field != "extra" || chance.random_bool(0.1))
            {
                arguments.insert(field.to_owned(), value(chance, invoice));
            }
        }
        if !arguments.is_empty() || chance.random_bool(0.01) {
            return Ok((name.to_owned(), Value::Object(arguments).to_string()));
        }
    }
}

fn value(chance: &mut StdRng, invoice: &str) -> Value {
    match chance.random_range(0..12) {
        0 => Value::Null,
        1 => json!(chance.random::<bool>()),
        2 => json!(chance.random::<i64>()),
        3 => json!(chance.random_range(0..1_000)),
        4 => json!(chance.random::<f64>()),
        5 => json!(u64::MAX),
        6 => json!([1, [2, [3]]]),
        7 => json!({"a": {"b": "c"}}),
        8 => json!("\u{1b}[2J\u{202e}\u{0}".repeat(chance.random_range(0..40))),
        9 => json!("x".repeat(chance.random_range(0..3_000))),
        10 => json!(invoice),
        _ => {
            let mut bytes: Vec<u8> = invoice.bytes().collect();
            let place = chance.random_range(0..bytes.len());
            if let Some(byte) = bytes.get_mut(place) {
                *byte = chance.random_range(32..127);
            }
            json!(String::from_utf8_lossy(&bytes))
        }
    }
}
