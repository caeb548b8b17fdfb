//! Silence, drips and floods: no call takes longer than it may, others go on meanwhile, and memory
//! stays bounded.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Pid;
use serde_json::json;
use testbed::harness::{Client, Outcome, WIDE, holds};
use testbed::must;
use testbed::{Moment, Rule};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use crate::scene::Scene;
use crate::table::Proof;
use crate::transport::{ENDPOINTS, Endpoint};
use crate::trial::Run;
use crate::verb::Verb;
use crate::wallet::Wallet;

/// F-021.
pub(crate) async fn hangs(run: Run) -> Outcome<Proof> {
    everywhere(run, Moment::Hang).await
}

/// F-022.
pub(crate) async fn drips(run: Run) -> Outcome<Proof> {
    everywhere(run, Moment::Drip).await
}

/// All endpoints at once: each in a scene of its own, which only waits.
async fn everywhere(run: Run, moment: Moment) -> Outcome<Proof> {
    let mut scenes = JoinSet::new();
    // A short run leaves out what only repeats another.
    for endpoint in ENDPOINTS.into_iter().take(run.pick(ENDPOINTS.len(), 6)) {
        let run = run.clone();
        scenes.spawn(async move {
            let (_, method, path) = endpoint;
            one_silence(&run, endpoint, moment)
                .await
                .map_err(|error| format!("{method} {path}: {error}"))
        });
    }
    let (mut fired, mut slowest) = (0, Duration::ZERO);
    while let Some(ended) = scenes.join_next().await {
        let (times, took) = ended??;
        fired += times;
        slowest = slowest.max(took);
    }
    Ok(Proof::of(fired).saying(format!("slowest answer {:.1} s", slowest.as_secs_f64())))
}

async fn one_silence(
    run: &Run,
    (verb, method, path): Endpoint,
    moment: Moment,
) -> Outcome<(usize, Duration)> {
    let scene = Scene::set(run).await?;
    let another = scene.another_mint().await?;
    let wallet = scene.wallet_at(&[scene.proxy.url(), another.clone()], WIDE)?;
    for mint in [scene.proxy.url(), another.clone()] {
        let asked = wallet.ok("deposit", json!({"amount_sats": 2_000, "mint": mint})).await?;
        wallet.deposit_within(&asked, 45).await?;
    }
    let friend = scene.funded(1_000).await?;
    let act = verb.ready(&scene, &wallet, Some(&friend), 30).await?;
    let rule = scene.proxy.fail(Rule::new(method, path, moment));
    let meanwhile = async {
        scene.proxy.reached(rule).await;
        others_go_on(&scene, &wallet, &another).await
    };
    let (told, others) = tokio::join!(act.act(&scene, &wallet), meanwhile);
    others?;
    let took = told?.ok_or("it ended")?.took;
    let fired = scene.proxy.fired(rule);
    scene.lifted().await?;
    act.judge(&scene, &wallet).await?;
    scene.settled().await?;
    Ok((fired, took))
}

/// The balance, payments at another mint, and payments at this mint.
async fn others_go_on(scene: &Scene, wallet: &Wallet, another: &str) -> Outcome {
    let prompt = Duration::from_secs(5);
    for mint in [another.to_owned(), scene.proxy.url()] {
        let since = Instant::now();
        wallet.ok("get_balance", json!({})).await?;
        must!(since.elapsed() < prompt, "the balance took {:?}", since.elapsed());
        let (invoice, _) = scene.invoice(11)?;
        let told = wallet.ok("pay", json!({"to": invoice, "mint": mint})).await?;
        let is_prompt = told.text("state") == "settled" && told.took < Duration::from_secs(20);
        must!(is_prompt, "a payment at {mint} took {:?}: {told}", told.took);
    }
    Ok(())
}

/// The most memory that a wallet may ever have held, in KiB.
const MOST_KIB: u64 = 300 * 1024;
const GIB: u64 = 1024 * 1024 * 1024;

/// F-026.
pub(crate) async fn floods(run: Run) -> Outcome<Proof> {
    let head = |length: u64, more: &str| {
        format!("HTTP/1.1 200 Testbed\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n").into_bytes()
    };
    let whole = |body: Vec<u8>, more: &str| [head(body.len() as u64, more), body].concat();
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let keyset = r#"{"id":"00ad268c4d1f5826","unit":"sat","active":true,"input_fee_ppk":0},"#;
    let keysets =
        format!("{{\"keysets\":[{}{}]}}", keyset.repeat(1_000_000), keyset.trim_end_matches(','));
    let chunks =
        b"HTTP/1.1 200 Testbed\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"
            .to_vec();
    let answers = [
        ("too long a length", [head(u64::MAX, ""), b"{}".to_vec()].concat()),
        ("too short a length", [head(1, ""), b"{}".to_vec()].concat()),
        ("an endless chunk", chunks),
        ("compressed", whole(bomb()?, "content-encoding: gzip\r\n")),
        ("deep", whole(deep, "")),
        ("a million keysets", whole(keysets.into_bytes(), "")),
    ];
    let (mut fired, mut most) = (0, 0);
    for path in [
        "/v1/mint/quote/bolt11",
        "/v1/melt/quote/bolt11",
        "/v1/melt/bolt11",
        "/v1/swap",
        "/v1/keysets",
        "/v1/keys",
    ] {
        let flood = Rule::new("", path, Moment::Flood(GIB));
        let rules =
            answers.iter().map(|(what, bytes)| (*what, Rule::verbatim("", path, bytes.clone())));
        for (what, rule) in [("1 GiB", flood)].into_iter().chain(rules) {
            let scene = Scene::set(&run).await?;
            let (wallet, friend) = (scene.funded(1_000).await?, scene.funded(500).await?);
            let verb = match path {
                "/v1/mint/quote/bolt11" => Verb::Deposit,
                "/v1/swap" => Verb::SendLocked,
                _ => Verb::Pay,
            };
            // A fresh wallet is the one that asks for keys.
            let is_fresh = path.starts_with("/v1/key");
            let wallet = if is_fresh { scene.wallet()? } else { wallet };
            let act = if is_fresh { Verb::Deposit } else { verb }
                .ready(&scene, &wallet, Some(&friend), 30)
                .await?;
            let rule = scene.proxy.fail(rule.every());
            let error = |why: String| format!("{path}, {what}: {why}");
            let told =
                tokio::time::timeout(Duration::from_secs(10), act.act(&scene, &wallet)).await;
            if let Ok(told) = told {
                told?.ok_or_else(|| error("it ended".to_owned()))?;
            }
            let kib = peak(wallet.session().await?.process())?;
            most = most.max(kib);
            holds(kib < MOST_KIB, error(format!("{} MiB of memory", kib / 1024)))?;
            fired += scene.proxy.fired(rule);
            scene.lifted().await?;
            act.judge(&scene, &wallet).await.map_err(|why| error(why.to_string()))?;
            scene.settled().await.map_err(|why| error(why.to_string()))?;
        }
    }
    Ok(Proof::of(fired).saying(format!("at most {} MiB of memory", most / 1024)))
}

/// 100 MiB of spaces, compressed.
fn bomb() -> Outcome<Vec<u8>> {
    let mut gzip =
        Command::new("gzip").arg("-9c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = gzip.stdin.take().ok_or("no input")?;
    std::thread::spawn(move || {
        let piece = [b' '; 1 << 20];
        (0..100).try_for_each(|_| input.write_all(&piece))
    });
    Ok(gzip.wait_with_output()?.stdout)
}

/// The most memory this process ever held, in KiB.
pub(crate) fn peak(process: Pid) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero()))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak of memory")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}
