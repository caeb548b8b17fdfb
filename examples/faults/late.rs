//! Melts whose outcome nobody knows for long: delivered late, or pending for an hour.

use serde_json::json;
use testbed::harness::{Client, Outcome, holds};
use testbed::must;
use testbed::{Behaviour, Moment, Rule};
use tokio::time::{Duration, sleep};

use crate::relays;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// When a melt that was held back reaches the mint, by the wallet's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Seconds(i64),
    /// A second after the quote expired.
    QuoteExpired,
    /// After a restart, right after the client's error.
    Restarted,
}

/// The quote lasts as long as the scene's.
const QUOTE_SECONDS: i64 = 30 * 86_400;

/// F-027. Unless the wallet may swap the coins away, nothing but the mint's word decides.
pub(crate) async fn delivered_late(run: Run) -> Outcome<Proof> {
    let mut fired = 0;
    for when in [
        When::Seconds(10),
        When::Seconds(60),
        When::Seconds(600),
        When::QuoteExpired,
        When::Restarted,
    ] {
        for may_cancel in [false, true] {
            fired += late(&run, when, may_cancel)
                .await
                .map_err(|error| format!("{when:?}, may cancel {may_cancel}: {error}"))?;
        }
    }
    Ok(Proof::of(fired))
}

async fn late(run: &Run, when: When, may_cancel: bool) -> Outcome<usize> {
    let scene = Scene::set(run).await?;
    let wallet = scene.funded(100).await?;
    let (invoice, hash) = scene.invoice(60)?;
    if !may_cancel {
        scene.proxy.fail(Rule::new("POST", "/v1/swap", Moment::BeforeRequest).every());
    }
    let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldThenDeliver));
    let left = left_24h(&wallet).await?;
    let session = wallet.session().await?;
    let (_, _answer) = session.begin_call("pay", json!({"to": invoice})).await?;
    scene.proxy.reached(rule).await;
    is_held(&wallet, &hash, left).await?;
    scene.balanced().await?;
    match when {
        When::Seconds(seconds) => wallet.pass(seconds)?,
        When::QuoteExpired => wallet.pass(QUOTE_SECONDS + 1)?,
        When::Restarted => wallet.restart_after(0).await?,
    }
    // Time for the wallet to do what it must not.
    sleep(Duration::from_secs(3)).await;
    let state = wallet.ok("get_payment", json!({"payment_hash": hash})).await?;
    if !may_cancel || matches!(when, When::Seconds(10) | When::Restarted) {
        must!(state.text("state") == "pending", "decided by nobody: {state}");
        is_held(&wallet, &hash, left).await?;
        let (other, _) = scene.invoice(60)?;
        let told = wallet.told("pay", json!({"to": other})).await?;
        must!(told.word() == "insufficient_funds", "the coins were offered again: {told}");
    }
    let answers = scene.proxy.deliver().await?;
    let landed = answers.iter().any(|(status, _)| *status == 200);
    must!(landed || may_cancel, "the mint refused it: {answers:?}");
    let ended = wallet.ended_by_hash(&hash).await?;
    scene.agrees(&ended, &hash)?;
    must!((ended.text("state") == "settled") == landed, "landed {landed}, told {ended}");
    let fired = scene.proxy.fired(rule);
    scene.conserved().await?;
    let spent = left - left_24h(&wallet).await?;
    let took = scene.mint.paid()?.first().and_then(|paid| paid.took_sats).unwrap_or(0);
    // A day may have passed by the wallet's clock, or a swap have cost a fee.
    must!(
        when == When::QuoteExpired || (took..took + 3).contains(&spent),
        "the day's limit lost {spent}, the mint took {took}"
    );
    Ok(fired)
}

/// The payment's coins and its room in the limit are held.
async fn is_held(wallet: &Wallet, hash: &str, left: u64) -> Outcome {
    let held = wallet.holds().await?;
    must!(held.pending >= 60, "not held back: {held:?}");
    let now = left_24h(wallet).await?;
    // A day later by its clock the room of yesterday is free again.
    must!(now + 60 <= left || wallet.shim.clock()? > 80_000, "the limit left {left} and now {now}");
    let shown = wallet.ok("get_payment", json!({"payment_hash": hash})).await?;
    holds(shown.text("state") == "pending", format!("not pending: {shown}"))
}

async fn left_24h(wallet: &Wallet) -> Outcome<u64> {
    let balance = wallet.ok("get_balance", json!({})).await?;
    Ok(balance
        .value
        .pointer("/limits/left_24h_sats")
        .and_then(serde_json::Value::as_u64)
        .ok_or("no limits in the balance")?)
}

/// F-028: the payee holds an invoice for an hour, then takes it, or lets it go.
pub(crate) async fn an_hour(run: Run) -> Outcome<Proof> {
    held(&run, &[false]).await
}

/// F-107: the same, and the wallet is restarted meanwhile.
pub(crate) async fn an_hour_and_restarts(run: Run) -> Outcome<Proof> {
    let held = held(&run, &[true]).await?;
    let zaps = relays::held_zap(&run).await.map_err(|error| format!("a zap: {error}"))?;
    must!(zaps > 0, "no zap was held");
    Ok(Proof::of(held.fired + zaps).saying(format!("{zaps} zaps")))
}

async fn held(run: &Run, restarts: &[bool]) -> Outcome<Proof> {
    let mut fired = 0;
    for is_taken in [true, false] {
        for restarted in restarts {
            let scene = Scene::set(run).await?;
            let wallet = scene.funded(500).await?;
            let (invoice, hash) = scene.invoice(60)?;
            scene.lightning.set_behaviour_of(&hash, Behaviour::Pending);
            let left = left_24h(&wallet).await?;
            let session = wallet.session().await?;
            let (_, _answer) = session.begin_call("pay", json!({"to": invoice})).await?;
            scene.lightning.attempted(&hash).await;
            for _ in 0..4 {
                wallet.pass(900)?;
                is_held(&wallet, &hash, left).await?;
                let (other, _) = scene.invoice(7)?;
                let told = wallet.ok("pay", json!({"to": other})).await?;
                must!(told.text("state") == "settled", "other coins are not usable: {told}");
            }
            if *restarted {
                wallet.restart_after(0).await?;
                is_held(&wallet, &hash, left).await?;
            }
            scene.balanced().await?;
            fired += scene.lightning.pending().len();
            if is_taken {
                scene.lightning.settle(&hash)
            } else {
                scene.lightning.fail(&hash)
            }
            let ended = wallet.ended_by_hash(&hash).await?;
            must!((ended.text("state") == "settled") == is_taken, "taken {is_taken}, told {ended}");
            scene.agrees(&ended, &hash)?;
            scene.conserved().await?;
        }
    }
    Ok(Proof::of(fired))
}
