//! Clients that misbehave, sleep, or come when no mint is there.

use serde_json::json;
use testbed::harness::{Client, Outcome, Settings, WIDE};
use testbed::must;
use testbed::{Moment, Rule};
use tokio::time::{Duration, Instant, timeout};

use crate::daemon;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;

/// F-059: stopped like a laptop that sleeps, ten minutes by the wall clock, before and after the
/// mint's answer to a melt.
pub(crate) async fn stopped(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(1_000).await?;
    let mut fired = 0;
    for moment in [Moment::HoldBefore, Moment::HoldAfter] {
        for is_cut in [false, true] {
            let (invoice, hash) = scene.invoice(40)?;
            let rule = scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", moment));
            let session = wallet.session().await?;
            let (_, answer) = session.begin_call("pay", json!({"to": invoice})).await?;
            scene.proxy.reached(rule).await;
            wallet.freeze(true).await?;
            wallet.pass(600)?;
            if is_cut {
                scene.proxy.cut();
            }
            scene.proxy.release(rule);
            wallet.freeze(false).await?;
            fired += scene.proxy.fired(rule);
            let answer = timeout(Duration::from_secs(50), answer)
                .await
                .map_err(|_| "the call was not answered")??;
            must!(answer.get("result").is_some(), "answered {answer}");
            let ended = wallet.ended_by_hash(&hash).await?;
            scene
                .agrees(&ended, &hash)
                .map_err(|error| format!("{moment:?}, cut {is_cut}: {error}"))?;
            scene.settled().await?;
        }
    }
    scene.conserved().await?;
    let shared = daemon::stopped(&run).await.map_err(|error| format!("shared: {error}"))?;
    must!(shared.fired > 0, "shared: the fault did not fire");
    Ok(Proof::of(fired + shared.fired).saying(shared.note))
}

/// F-123.
pub(crate) async fn lines(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(100).await?;
    let session = wallet.session().await?;
    let long = "a".repeat(17 * 1024 * 1024);
    let answer = session
        .request("tools/call", json!({"name": "get_balance", "arguments": {"x": long}}))
        .await?;
    let answer = answer.ok_or("it ended at a line of 17 MiB")?;
    let is_no =
        answer.get("error").is_some() || answer.pointer("/result/isError") == Some(&json!(true));
    must!(
        is_no,
        "a line of 17 MiB was answered {}",
        answer.to_string().chars().take(200).collect::<String>()
    );
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let odd: [&[u8]; 12] = [
        &deep,
        b"\xff\xfe{\"jsonrpc\":\"2.0\",\"id\":900001,\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":900002,\"id\":900003,\"method\":\"ping\",\"method\":\"tools/list\"}",
        b"[{\"jsonrpc\":\"2.0\",\"id\":900004,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":900005,\"method\":\"ping\"}]",
        b"[]",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"get_balance\",\"arguments\":{}}}",
        b"{\"jsonrpc\":\"1.0\",\"id\":900006,\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":900007,\"result\":{}}",
        b"{",
        b"",
        b"\0\0\0",
    ];
    for line in odd {
        session.send_bytes(line).await?;
        wallet.ok("get_balance", json!({})).await?;
    }
    for _ in 0..run.pick(100_000, 10_000) {
        session
            .send_bytes(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}")
            .await?;
    }
    let since = Instant::now();
    wallet.ok("get_balance", json!({})).await?;
    must!(
        since.elapsed() < Duration::from_secs(10),
        "a call after the notices took {:?}",
        since.elapsed()
    );
    let paid = wallet.ok("pay", json!({"to": scene.invoice(20)?.0})).await?;
    must!(paid.text("state") == "settled", "afterwards: {paid}");
    scene.conserved().await?;
    Ok(Proof::of(1 + odd.len()))
}

/// F-126: nobody reads what the wallet says; a payment goes on, and all is said when somebody reads
/// again.
pub(crate) async fn stops_reading(run: Run) -> Outcome<Proof> {
    let (alone, shared) =
        (stops_reading_once(&run, false).await?, stops_reading_once(&run, true).await?);
    Ok(Proof::of(alone.fired + shared.fired)
        .saying(format!("{}; shared: {}", alone.note, shared.note)))
}

async fn stops_reading_once(run: &Run, is_shared: bool) -> Outcome<Proof> {
    let scene = Scene::set(run).await?;
    let wallet = if is_shared { scene.shared(1_000).await? } else { scene.funded(1_000).await? };
    let session = wallet.session().await?;
    session.read(false);
    // Enough answers to fill any pipe.
    let mut answers = Vec::new();
    for _ in 0..300 {
        answers.push(session.begin("tools/list", json!({})).await?.1);
    }
    let (invoice, hash) = scene.invoice(40)?;
    answers.push(session.begin_call("pay", json!({"to": invoice})).await?.1);
    wallet.pass(300)?;
    // Whether the payment begins while nobody reads is the wallet's choice.
    let began = timeout(Duration::from_secs(5), scene.lightning.attempted(&hash)).await.is_ok();
    if is_shared {
        // Others at the same daemon go on.
        let other = wallet.another("other").await?;
        let paid = other.ok("pay", json!({"to": scene.invoice(10)?.0})).await?;
        must!(
            paid.text("state") == "settled" && paid.took < Duration::from_secs(5),
            "beside it: {paid:?}"
        );
        other.close().await?;
    }
    session.read(true);
    let asked = answers.len();
    for answer in answers {
        timeout(Duration::from_secs(50), answer).await.map_err(|_| "not all was answered")??;
    }
    let ended = wallet.ended_by_hash(&hash).await?;
    scene.agrees(&ended, &hash)?;
    scene.conserved().await?;
    Ok(Proof::of(asked).saying(if began {
        "the payment went on meanwhile"
    } else {
        "the payment waited"
    }))
}

/// F-140: the mint down, and another whose name is none. A mint that was never used is not
/// contacted, so of that it is not known whether it answers.
pub(crate) async fn no_mint(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let funded = scene.funded(500).await?;
    funded.close().await?;
    scene.mint.testbed()?.stop().await;
    let urls = [scene.proxy.url(), "https://mint.nutpurse.example".to_owned()];
    let fresh = scene.wallet_at(&urls, WIDE)?;
    funded.home.set(&Settings::at(urls.clone()))?;
    let mut slowest = Duration::ZERO;
    for (wallet, sats) in [(&fresh, 0), (&funded, 500)] {
        let contacts = scene.proxy.exchanges().len();
        let since = Instant::now();
        let session = wallet.session().await?;
        must!(
            since.elapsed() < Duration::from_secs(2),
            "it shook hands after {:?}",
            since.elapsed()
        );
        must!(!session.tools().await?.is_empty(), "no tools");
        let shown = wallet.holds().await?;
        slowest = slowest.max(since.elapsed());
        must!(
            since.elapsed() < Duration::from_secs(4),
            "the balance came after {:?}",
            since.elapsed()
        );
        must!(shown.spendable == sats, "shown {shown:?}");
        let mints = wallet.ok("list_mints", json!({})).await?;
        let reachable =
            |place: usize| mints.value.pointer(&format!("/mints/{place}/reachable")).cloned();
        let was_used = sats > 0;
        must!(
            reachable(0) == was_used.then_some(json!(false)) && reachable(1).is_none(),
            "shown {mints}"
        );
        must!(
            was_used || scene.proxy.exchanges().len() == contacts,
            "a mint was contacted before its first use"
        );
        let told = wallet.told("pay", json!({"to": scene.invoice(5)?.0})).await?;
        must!(told.is_harmless_refusal(), "told {told}");
        for mint in &urls {
            let told = wallet.told("deposit", json!({"amount_sats": 5, "mint": mint})).await?;
            must!(told.word() == "mint_unreachable", "told {told}");
        }
        wallet.close().await?;
    }
    let failed = scene.proxy.count(|exchange| exchange.status.is_none());
    scene.mint.testbed()?.resume().await?;
    scene.conserved().await?;
    Ok(Proof::of(failed).saying(format!("balance after {:.2} s", slowest.as_secs_f64())))
}
