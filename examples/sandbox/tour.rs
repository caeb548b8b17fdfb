//! The tour: two wallets, every kind of payment, the limits, the history, the law.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use testbed::harness::{Client, Home, Limits, Outcome, Settings};
use testbed::{Bench, Payee, TestMint, must};

use crate::report::{Moved, columns, grouped, line, step, title};
use crate::wallet::Wallet;

const LIMITS: Limits = Limits { per_payment: 200, per_day: 300 };

/// Walks through all of it. Fails where an answer is not as it should be.
pub(crate) async fn tour(program: &Path) -> Outcome {
    let since = Instant::now();
    let bench = Bench::start().await?;
    let shop = bench.lightning.payee("shop");
    let home = || Home::new(&Settings::at([bench.mint.url()]).limits(LIMITS));
    let alice = Wallet::start("alice", program, home()?).await?;
    let bob = Wallet::start("bob", program, home()?).await?;
    println!(
        "A real Cashu mint, a simulated Lightning network, two wallets. No coin here is worth anything."
    );
    println!(
        "Each may spend {} sats in one payment and {} in a day, fees included.",
        LIMITS.per_payment, LIMITS.per_day
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

async fn deposit(alice: &Wallet) -> Outcome {
    let asked = alice.ok("deposit", json!({"amount_sats": 1_000})).await?;
    step(alice, "deposit", "an invoice, which the outside world pays", Moved::Nothing, &asked);
    let came = alice.deposit_within(&asked, 30).await?;
    step(alice, "get_deposit", came.text("state"), Moved::In(came.sats("received_sats")), &came);
    Ok(())
}

async fn pay(alice: &Wallet, shop: &Payee) -> Outcome {
    let invoice = shop.invoice(150, "a lamp")?.to_string();
    for what in ["the shop's invoice", "the same invoice again"] {
        let paid = alice.ok("pay", json!({"to": invoice})).await?;
        let replayed = paid.is("replayed");
        let moved = if replayed { Moved::Nothing } else { Moved::Out(paid.sats("amount_sats")) };
        let word = if replayed { "replayed" } else { paid.text("proof") };
        step(alice, "pay", &format!("{what}: {}, {word}", paid.text("state")), moved, &paid);
    }
    must!(shop.received() == 150, "the shop got {} sats", shop.received());
    Ok(())
}

async fn tokens(alice: &Wallet, bob: &Wallet) -> Outcome {
    let sent = alice.ok("send_token", json!({"amount_sats": 100, "memo": "for you"})).await?;
    step(alice, "send_token", "a token for bob", Moved::Out(sent.sats("amount_sats")), &sent);
    let came = bob.ok("receive_token", json!({"token": sent.text("token")})).await?;
    let words = format!("{}, its memo: {}", came.text("state"), came.text("untrusted_memo"));
    step(bob, "receive_token", &words, Moved::In(came.sats("received_sats")), &came);
    let seen = alice.payment(sent.text("payment_id")).await?;
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

async fn limits(alice: &Wallet, shop: &Payee) -> Outcome {
    for (amount, code) in [(201, "over_payment_limit"), (120, "over_budget")] {
        let invoice = shop.invoice(amount, "too much")?.to_string();
        let no = alice.refuses("pay", json!({"to": invoice}), &[code]).await?;
        let what = match no.at("details/left_sats") {
            Value::Null => format!("{amount} sats: {code}"),
            left => format!("{amount} sats: {code} ({left} left)"),
        };
        step(alice, "pay", &what, Moved::Nothing, &no);
    }
    Ok(())
}

async fn pause(alice: &Wallet, shop: &Payee) -> Outcome {
    let (done, took) = alice.owner("pause").await?;
    must!(done, "nutpurse pause failed");
    line("owner", "", "nutpurse pause, in another process", "", "", took);
    let invoice = shop.invoice(1, "a sweet")?.to_string();
    let no = alice.refuses("pay", json!({"to": invoice}), &["spending_paused"]).await?;
    step(alice, "pay", &format!("1 sat: {}", no.text("error")), Moved::Nothing, &no);
    let (done, took) = alice.owner("resume").await?;
    must!(!done, "nutpurse resume was done without a person");
    line("agent", "", "nutpurse resume, in a shell: refused", "", "", took);
    Ok(())
}

async fn history(alice: &Wallet) -> Outcome {
    let told = alice.ok("list_history", json!({"since": "all", "summary_by": "kind"})).await?;
    title("What alice's history sums up to");
    println!("{:<20}{:>8}{:>10}{:>10}{:>8}", "kind", "count", "in", "out", "fees");
    let row = |key: &str, sums: &Value| {
        let number = |field| grouped(sums.get(field).and_then(Value::as_u64).unwrap_or(0));
        let (count, came, went, fees) =
            (number("count"), number("in_sats"), number("out_sats"), number("fee_sats"));
        println!("{key:<20}{count:>8}{came:>10}{went:>10}{fees:>8}");
    };
    for group in told.list("groups") {
        row(group.get("key").and_then(Value::as_str).unwrap_or_default(), group);
    }
    row("in all", told.at("totals"));
    Ok(())
}

/// What the wallets hold, by state, is what the mint owes, as its own database says.
async fn law(mint: &TestMint, shop: &Payee, wallets: &[&Wallet]) -> Outcome {
    title("The law");
    println!(
        "{:<20}{:>10}{:>10}{:>10}{:>10}",
        "holds", "spendable", "pending", "unclaimed", "together"
    );
    let mut all = 0;
    for wallet in wallets {
        let held = wallet.holds().await?;
        let [spendable, pending, unclaimed] =
            [held.spendable, held.pending, held.unclaimed].map(grouped);
        println!(
            "{:<20}{spendable:>10}{pending:>10}{unclaimed:>10}{:>10}",
            wallet.name,
            grouped(held.all())
        );
        all += held.all();
    }
    let owed = mint.auditor().outstanding()?;
    println!("{:<50}{:>10}", "all wallets", grouped(all));
    println!("{:<50}{:>10}", "the mint owes, says its database", grouped(owed));
    println!(
        "The mint paid {} invoice; the shop got {} sats.",
        mint.auditor().melts()?.iter().filter(|melt| melt.state == "PAID").count(),
        shop.received()
    );
    must!(all == owed, "the wallets do not hold what the mint owes");
    Ok(())
}
