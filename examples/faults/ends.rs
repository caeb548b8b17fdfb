//! The client's end and the mint's: sessions that close or are given up in a payment, restarts
//! without a mint, answers that make a handler stumble.

use rustix::process::Signal;
use serde_json::{Value, json};
use testbed::harness::{Client, Outcome};
use testbed::must;
use testbed::{Behaviour, Moment, Rule};
use tokio::time::{Duration, sleep};

use crate::daemon;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::verb::Verb;

/// F-010.
pub(crate) async fn restarts_without_a_mint(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(2_000).await?;
    let act = Verb::PaySlowly.ready(&scene, &wallet, None, 40).await?;
    let session = wallet.session().await?;
    let (_, _answer) =
        session.begin("tools/call", json!({"name": act.tool, "arguments": act.arguments})).await?;
    scene.lightning.attempted(&act.mark).await;
    wallet.kill().await?;
    scene.mint.testbed()?.stop().await;
    scene.proxy.clear();
    wallet.restart().await?;
    let before = wallet.holds().await?;
    must!(before.pending >= 40 && before.all() == scene.owed()?, "after the kill: {before:?}");
    for _ in 0..20 {
        wallet.restart_after(1).await?;
        let now = wallet.holds().await?;
        must!(now == before, "{before:?} became {now:?} while the mint was down");
        let (other, _) = scene.invoice(7)?;
        let told = wallet.told("pay", json!({"to": other})).await?;
        must!(told.word() == "mint_unreachable", "paid without a mint: {told}");
    }
    let tried = scene.proxy.count(|exchange| exchange.status.is_none());
    scene.mint.testbed()?.resume().await?;
    scene.lightning.settle(&act.mark);
    scene.lifted().await?;
    act.judge(&scene, &wallet).await?;
    scene.settled().await?;
    for verb in [Verb::Send, Verb::Pay] {
        let act = verb.ready(&scene, &wallet, None, 13).await?;
        let told = act.act(&scene, &wallet).await?.ok_or("it ended")?;
        must!(!told.is_error, "after all: {told}");
    }
    scene.conserved().await?;
    Ok(Proof::of(tried))
}

/// How a session ends in the middle of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Terminated,
    ClosedThenKilled,
}

/// F-011.
pub(crate) async fn ends_in_a_payment(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(2_000).await?;
    let (mut fired, mut longest) = (0, Duration::ZERO);
    for end in [End::Closed, End::Terminated, End::ClosedThenKilled] {
        for moment in [Moment::HoldBefore, Moment::HoldAfter] {
            let (invoice, hash) = scene.invoice(33)?;
            let session = wallet.session().await?;
            let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", moment));
            let (_, _answer) = session.begin_call("pay", json!({"to": invoice})).await?;
            scene.proxy.reached(rule).await;
            let since = tokio::time::Instant::now();
            match end {
                End::Terminated => session.signal(Signal::TERM)?,
                End::Closed | End::ClosedThenKilled => session.hang_up().await,
            }
            if end == End::ClosedThenKilled {
                sleep(Duration::from_secs(2)).await;
                session.kill().await?;
            } else {
                sleep(Duration::from_millis(300)).await;
            }
            scene.proxy.release(rule);
            tokio::time::timeout(Duration::from_secs(60), session.gone())
                .await
                .map_err(|_| format!("{end:?}: it does not end"))??;
            longest = longest.max(since.elapsed());
            fired += scene.proxy.fired(rule);
            scene.lifted().await?;
            let known = wallet.told("get_payment", json!({"payment_hash": hash})).await?;
            must!(known.word() != "not_found", "{end:?}, {moment:?}: the payment is not known");
            scene
                .agrees(&wallet.ended_by_hash(&hash).await?, &hash)
                .map_err(|error| format!("{end:?}, {moment:?}: {error}"))?;
            scene.settled().await?;
        }
    }
    let shared =
        daemon::ends_in_a_payment(&run).await.map_err(|error| format!("shared: {error}"))?;
    must!(shared.fired > 0, "shared: the fault did not fire");
    Ok(Proof::of(fired + shared.fired).saying(format!(
        "alone: at most {:.1} s; {}",
        longest.as_secs_f64(),
        shared.note
    )))
}

/// F-012: the call cancelled; and the client that gives up, repeats with a new key, then with a new
/// invoice.
pub(crate) async fn given_up(run: Run) -> Outcome<Proof> {
    let mut fired = 0;
    for is_shared in [false, true] {
        fired += given_up_once(&run, is_shared)
            .await
            .map_err(|error| format!("shared {is_shared}: {error}"))?;
    }
    Ok(Proof::of(fired))
}

async fn given_up_once(run: &Run, is_shared: bool) -> Outcome<usize> {
    let scene = Scene::set(run).await?;
    let wallet = if is_shared { scene.shared(2_000).await? } else { scene.funded(2_000).await? };
    let shop = scene.lightning.payee("shop");

    let first = shop.invoice(33, "cancelled")?;
    let hash = first.payment_hash().to_string();
    let session = wallet.session().await?;
    let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldAfter));
    let (id, _answer) = session.begin_call("pay", json!({"to": first.to_string()})).await?;
    scene.proxy.reached(rule).await;
    session
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": "impatient"}}))
        .await?;
    wallet.ok("get_balance", json!({})).await?;
    scene.proxy.release(rule);
    let ended = wallet.ended_by_hash(&hash).await?;
    scene.agrees(&ended, &hash)?;
    must!(ended.text("state") == "settled", "cancelled, and cut: {ended}");
    let again =
        wallet.ok("pay", json!({"to": first.to_string(), "idempotency_key": "another"})).await?;
    must!(again.is("replayed"), "paid again: {again}");

    let second = shop.invoice(44, "given up")?;
    let hash = second.payment_hash().to_string();
    scene.lightning.set_behaviour_of(&hash, Behaviour::Pending);
    // The first call is not waited for: its client has given up.
    let (given_up, first) = session.begin_call("pay", json!({"to": second.to_string()})).await?;
    scene.lightning.attempted(&hash).await;
    // A long run waits until the wallet says so; in a short one its client cancels.
    let repeat = json!({"name": "pay", "arguments": {"to": second.to_string(), "idempotency_key": "a new key"}});
    if run.is_short() {
        let (repeated, _answer) = session.begin("tools/call", repeat).await?;
        for id in [given_up, repeated] {
            session.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})).await?;
        }
        wallet.ok("get_balance", json!({})).await?;
    } else {
        // The repetition is answered at once; in doubt is whoever was told so by the call that
        // pays.
        let repeated = session.request("tools/call", repeat).await?.ok_or("it ended")?;
        for answer in [repeated, tokio::time::timeout(Duration::from_secs(46), first).await??] {
            let state = answer.pointer("/result/structuredContent/state").cloned();
            must!(state == Some(json!("pending")), "the payee holds it, and it is said: {answer}");
        }
    }
    let other = shop.invoice(44, "a new invoice")?;
    wallet.refuses("pay", json!({"to": other.to_string()}), &["possible_duplicate"]).await?;
    scene.lightning.settle(&hash);
    scene.agrees(&wallet.ended_by_hash(&hash).await?, &hash)?;
    wallet.refuses("pay", json!({"to": other.to_string()}), &["possible_duplicate"]).await?;
    must!(shop.received() == 77, "the shop got {}", shop.received());
    let fired = scene.proxy.fired(rule);
    must!(fired > 0, "the call was not held");
    scene.conserved().await?;
    Ok(fired + 1)
}

/// Answers in shapes that nobody expects.
const SHAPES: &[&str] = &[
    "null",
    "[]",
    "{}",
    "\"text\"",
    "0",
    "1e999",
    r#"{"quote":null,"request":null,"amount":null,"state":null,"expiry":null}"#,
    r#"{"quote":"","request":"","amount":18446744073709551615,"fee_reserve":18446744073709551615,"unit":"sat","state":"PAID","expiry":18446744073709551615}"#,
    r#"{"quote":"q","amount":-1,"fee_reserve":-1,"unit":"sat","state":"UNPAID","expiry":-1,"request":"lnbc1"}"#,
    r#"{"signatures":[{"amount":0,"id":"00","C_":""}]}"#,
    r#"{"signatures":[null]}"#,
    r#"{"outputs":[{}],"signatures":[{}],"states":[{}]}"#,
    r#"{"keysets":[{"id":"zz","unit":"sat","active":true,"keys":{"0":"00","-1":"02","18446744073709551615":"ff"}}]}"#,
];

/// F-014.
pub(crate) async fn shapes(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let (wallet, friend) = (scene.funded(5_000).await?, scene.funded(2_000).await?);
    let paths = [
        "/v1/mint/quote/bolt11",
        "/v1/mint/bolt11",
        "/v1/melt/quote/bolt11",
        "/v1/melt/bolt11",
        "/v1/swap",
        "/v1/checkstate",
        "/v1/keys",
    ];
    let mut fired = 0;
    for shape in SHAPES {
        let head = "HTTP/1.1 200 Testbed\r\ncontent-type: application/json\r\nconnection: close";
        let bytes = format!("{head}\r\ncontent-length: {}\r\n\r\n{shape}", shape.len());
        let rules =
            paths.map(|path| scene.proxy.fail(Rule::verbatim("", path, bytes.as_bytes()).every()));
        // A fresh wallet asks for everything, keys too.
        let fresh = scene.wallet()?;
        for (tool, arguments) in [
            ("deposit", json!({"amount_sats": 9})),
            ("pay", json!({"to": scene.invoice(9)?.0})),
            ("send_token", json!({"amount_sats": 9, "memo": scene.name("shape")})),
            ("list_mints", json!({})),
        ] {
            fresh.told(tool, arguments.clone()).await?;
            wallet.told(tool, arguments).await?;
        }
        must!(
            wallet
                .ok("get_balance", json!({}))
                .await?
                .value
                .get("spendable_sats")
                .is_some_and(Value::is_u64),
            "no balance"
        );
        fired += rules.iter().map(|rule| scene.proxy.fired(*rule)).sum::<usize>();
        scene.proxy.clear();
        let log = std::fs::read_to_string(wallet.log_path())?;
        must!(!log.contains("panicked"), "a panic at {shape}: {}", wallet.last_words());
        scene.conserved().await.map_err(|error| format!("{shape}: {error}"))?;
        fresh.kill().await?;
        let act = Verb::Receive.ready(&scene, &wallet, Some(&friend), 5).await?;
        let told = act.act(&scene, &wallet).await?.ok_or("it ended")?;
        must!(!told.is_error, "after {shape}: {told}");
    }
    scene.conserved().await?;
    Ok(Proof::of(fired))
}
