//! The tour: two wallets, every kind of payment, the limits, the history, the law.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use testbed::{Bench, Payee, TestMint};

use crate::Outcome;
use crate::home::Home;
use crate::report::{Moved, columns, grouped, line, step, title};
use crate::session::Session;

/// Sats in one payment, and in a day.
const LIMITS: (i64, i64) = (200, 300);

/// Walks through all of it. Fails where an answer is not as it should be.
pub(crate) async fn tour(program: &Path) -> Outcome {
    let since = Instant::now();
    let bench = Bench::start().await?;
    let shop = bench.lightning.payee("shop");
    let home = || Home::at(&bench.mint.url(), Some(LIMITS));
    let alice = Session::start("alice", program, home()?).await?;
    let bob = Session::start("bob", program, home()?).await?;
    println!(
        "A real Cashu mint, a simulated Lightning network, two wallets. No coin here is worth anything."
    );
    println!(
        "Each may spend {} sats in one payment and {} in a day, fees included.",
        LIMITS.0, LIMITS.1
    );

    title("What was done");
    columns();
    deposit(&alice).await?;
    pay(&alice, &shop).await?;
    tokens(&alice, &bob).await?;
    limits(&alice, &shop).await?;
    pause(&alice, &shop).await?;
    history(&alice).await?;
    let kept = law(&bench.mint, &shop, &[&alice, &bob]).await;
    alice.end().await?;
    bob.end().await?;
    println!("\nAll of it took {:.1} s.", since.elapsed().as_secs_f64());
    kept
}

async fn deposit(alice: &Session) -> Outcome {
    let asked = alice.ok("deposit", json!({"amount_sats": 1_000})).await?;
    step(alice, "deposit", "an invoice, which the outside world pays", Moved::Nothing, &asked);
    let wait = json!({"deposit_id": asked.text("deposit_id"), "wait_seconds": 30});
    let came = alice.ok("get_deposit", wait).await?;
    step(alice, "get_deposit", came.text("state"), Moved::In(came.sats("received_sats")), &came);
    Ok(())
}

async fn pay(alice: &Session, shop: &Payee) -> Outcome {
    let invoice = shop.invoice(150, "a lamp")?.to_string();
    for what in ["the shop's invoice", "the same invoice again"] {
        let paid = alice.ok("pay", json!({"to": invoice})).await?;
        let replayed = paid.is("replayed");
        let moved = if replayed { Moved::Nothing } else { Moved::Out(paid.sats("amount_sats")) };
        let word = if replayed { "replayed" } else { paid.text("proof") };
        step(alice, "pay", &format!("{what}: {}, {word}", paid.text("state")), moved, &paid);
    }
    if shop.received() == 150 {
        Ok(())
    } else {
        Err(format!("the shop got {} sats", shop.received()).into())
    }
}

async fn tokens(alice: &Session, bob: &Session) -> Outcome {
    let sent = alice.ok("send_token", json!({"amount_sats": 100, "memo": "for you"})).await?;
    step(alice, "send_token", "a token for bob", Moved::Out(sent.sats("amount_sats")), &sent);
    let came = bob.ok("receive_token", json!({"token": sent.text("token")})).await?;
    let words = format!("{}, its memo: {}", came.text("state"), came.text("untrusted_memo"));
    step(bob, "receive_token", &words, Moved::In(came.sats("received_sats")), &came);
    let seen = alice.ok("get_payment", json!({"payment_id": sent.text("payment_id")})).await?;
    let words = if seen.is("claimed") { "the token: claimed" } else { "the token: not claimed" };
    step(alice, "get_payment", words, Moved::Nothing, &seen);

    let sent = alice.ok("send_token", json!({"amount_sats": 20})).await?;
    step(
        alice,
        "send_token",
        "a token that nobody claims",
        Moved::Out(sent.sats("amount_sats")),
        &sent,
    );
    let back = alice.ok("reclaim_token", json!({"payment_id": sent.text("payment_id")})).await?;
    step(alice, "reclaim_token", back.text("state"), Moved::In(back.sats("reclaimed_sats")), &back);
    Ok(())
}

async fn limits(alice: &Session, shop: &Payee) -> Outcome {
    for (amount, code) in [(201, "over_payment_limit"), (120, "over_budget")] {
        let invoice = shop.invoice(amount, "too much")?.to_string();
        let no = alice.refused("pay", json!({"to": invoice}), code).await?;
        let left = no
            .value
            .pointer("/details/left_sats")
            .and_then(Value::as_u64)
            .map(|left| format!(" ({left} left)"));
        step(
            alice,
            "pay",
            &format!("{amount} sats: {code}{}", left.unwrap_or_default()),
            Moved::Nothing,
            &no,
        );
    }
    Ok(())
}

async fn pause(alice: &Session, shop: &Payee) -> Outcome {
    let (done, took) = alice.owner("pause").await?;
    if !done {
        return Err("nutpurse pause failed".into());
    }
    line("owner", "", "nutpurse pause, in another process", "", "", took);
    let invoice = shop.invoice(1, "a sweet")?.to_string();
    let no = alice.refused("pay", json!({"to": invoice}), "spending_paused").await?;
    step(alice, "pay", &format!("1 sat: {}", no.text("error")), Moved::Nothing, &no);
    let (done, took) = alice.owner("resume").await?;
    if done {
        return Err("nutpurse resume was done without a person".into());
    }
    line("agent", "", "nutpurse resume, in a shell: refused", "", "", took);
    Ok(())
}

async fn history(alice: &Session) -> Outcome {
    let told = alice.ok("list_history", json!({"since": "all", "summary_by": "kind"})).await?;
    title("What alice's history sums up to");
    println!("{:<20}{:>8}{:>10}{:>10}{:>8}", "kind", "count", "in", "out", "fees");
    let row = |key: &str, sums: &Value| {
        let number = |field| grouped(sums.get(field).and_then(Value::as_u64).unwrap_or(0));
        let (count, came, went, fees) =
            (number("count"), number("in_sats"), number("out_sats"), number("fee_sats"));
        println!("{key:<20}{count:>8}{came:>10}{went:>10}{fees:>8}");
    };
    for group in told.value.get("groups").and_then(Value::as_array).into_iter().flatten() {
        row(group.get("key").and_then(Value::as_str).unwrap_or_default(), group);
    }
    row("in all", told.value.get("totals").unwrap_or(&Value::Null));
    Ok(())
}

/// What the wallets hold, by state, is what the mint owes, as its own database says.
async fn law(mint: &TestMint, shop: &Payee, sessions: &[&Session]) -> Outcome {
    title("The law");
    println!(
        "{:<20}{:>10}{:>10}{:>10}{:>10}",
        "holds", "spendable", "pending", "unclaimed", "together"
    );
    let mut all = 0;
    for session in sessions {
        let balance = session.ok("get_balance", json!({})).await?;
        let holds =
            ["spendable_sats", "pending_sats", "unclaimed_sats"].map(|field| balance.sats(field));
        let sum: u64 = holds.iter().sum();
        let [spendable, pending, unclaimed] = holds.map(grouped);
        println!(
            "{:<20}{spendable:>10}{pending:>10}{unclaimed:>10}{:>10}",
            session.name,
            grouped(sum)
        );
        all += sum;
    }
    let owed = mint.auditor().outstanding()?;
    println!("{:<50}{:>10}", "all wallets", grouped(all));
    println!("{:<50}{:>10}", "the mint owes, says its database", grouped(owed));
    println!(
        "The mint paid {} invoice; the shop got {} sats.",
        mint.auditor().melts()?.iter().filter(|melt| melt.state == "PAID").count(),
        shop.received()
    );
    if all == owed { Ok(()) } else { Err("the wallets do not hold what the mint owes".into()) }
}
