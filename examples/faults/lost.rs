//! The machine is lost: a fresh folder and the twelve words.

use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Value, json};
use testbed::harness::{Client, Limits, Outcome};
use testbed::must;
use testbed::{Behaviour, InvoiceSpec};
use tokio::io::AsyncWriteExt;
use tokio::time::{Duration, Instant};

use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// The longest time a restore may take.
const LONGEST: Duration = Duration::from_secs(300);
/// What a deposit of eleven coins is, in sats.
const ELEVEN: u64 = 2_047;

/// F-144: coins in three keysets, two of them out of use, gaps where change was prepared for and
/// did not come, a token nobody took. A long run uses up 10,000 counters of the first keyset.
pub(crate) async fn machine(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wide = Limits { per_payment: 2_000_000, per_day: 100_000_000 };
    let lost = scene.wallet_at(&[scene.proxy.url()], wide)?;
    lost.fund_often(run.pick(91, 1), ELEVEN).await?;
    for keyset in 0..3 {
        if keyset > 0 {
            scene.mint.testbed()?.rotate_keyset(100 * (keyset % 2)).await?;
        }
        lost.fund(300).await?;
        gap(&scene, &lost, run.pick(20, 5)).await?;
        let paid = lost.ok("pay", json!({"to": scene.invoice(40)?.0})).await?;
        must!(paid.text("state") == "settled", "{paid}");
        lost.fund(100).await?;
    }
    lost.ok("send_token", json!({"amount_sats": 33})).await?;
    scene.conserved().await?;
    let gaps = unsigned(&scene);
    must!(gaps > 0, "no counter was used without a signature");
    let held = lost.holds().await?;
    must!(held.unclaimed == 33 && held.pending == 0, "before: {held:?}");
    lost.close().await?;
    scene.forget(&lost);
    let words = lost.home.mnemonic()?;

    let fresh = scene.wallet_at(&[scene.proxy.url()], wide)?;
    let (before, since) = (scene.proxy.exchanges().len(), Instant::now());
    restore(&fresh, &words).await?;
    let took = since.elapsed();
    must!(took < LONGEST, "it took {took:?}");
    let (mut asked, mut found) = (0, 0);
    for exchange in scene.proxy.exchanges().iter().skip(before) {
        asked += many(&exchange.request, "outputs");
        found += many(&exchange.response, "signatures");
    }
    must!(asked >= run.pick(10_000, 500), "only {asked} counters were asked about");
    let now = fresh.holds().await?;
    must!(now.spendable == held.spendable + held.unclaimed, "{held:?} became {now:?}");
    scene.conserved().await?;
    // What comes in takes counters that nobody has used.
    fresh.fund(60).await?;
    fresh.pass(86_500)?;
    fresh.restart().await?;
    let paid = fresh.ok("pay", json!({"to": scene.invoice(20)?.0})).await?;
    must!(paid.text("state") == "settled", "{paid}");
    scene.conserved().await?;
    let note = format!(
        "{found} signatures among {asked} counters, {gaps} in gaps, {} sats, {:.1} s",
        now.spendable,
        took.as_secs_f64()
    );
    Ok(Proof::of(1).saying(note))
}

fn many(body: &Value, field: &str) -> usize {
    body.get(field).and_then(Value::as_array).map_or(0, Vec::len)
}

/// How many outputs for change the mint was given and did not sign.
fn unsigned(scene: &Scene) -> usize {
    let exchanges = scene.proxy.exchanges();
    let melts = exchanges.iter().filter(|exchange| exchange.path == "/v1/melt/bolt11");
    melts
        .map(|melt| many(&melt.request, "outputs").saturating_sub(many(&melt.response, "change")))
        .sum()
}

/// Payments that fail: each prepares for change that never comes, and so leaves counters that the
/// mint does not know.
async fn gap(scene: &Scene, wallet: &Wallet, times: usize) -> Outcome {
    for _ in 0..times {
        let invoice = scene
            .lightning
            .payee(&scene.name("nobody"))
            .invoice_with(&InvoiceSpec::sats(50, "fails"))?;
        scene.lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Fail);
        let told = wallet.told("pay", json!({"to": invoice.to_string()})).await?;
        must!(told.is_error || told.text("state") != "settled", "a payment that fails: {told}");
        wallet.ended_by_hash(&invoice.payment_hash().to_string()).await?;
    }
    Ok(())
}

/// `nutpurse restore --words`, with the words on a pipe.
pub(crate) async fn restore(wallet: &Arc<Wallet>, words: &str) -> Outcome {
    let mut command = wallet.command("owner");
    command
        .args(["restore", "--words"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    child.stdin.take().ok_or("no input")?.write_all(format!("{words}\n").as_bytes()).await?;
    let ended = tokio::time::timeout(LONGEST, child.wait_with_output()).await??;
    let (out, error) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    must!(ended.status.success(), "restore: {out} {error}");
    must!(!out.contains(words) && !error.contains(words), "the words were shown");
    Ok(())
}
