//! The figures that the wallet promises, measured on this machine:
//! `cargo build --release && cargo run --example figures`.
//!
//! Drives the release binary over its standard streams, as a client does, beside a mint of the
//! testbed. Prints one line a figure, with its bound where there is one, and ends with a failure
//! when a bound does not hold.

#![expect(clippy::print_stdout, reason = "it prints figures")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use cdk_common::nuts::State;
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use nutpurse::testing::app::open_store;
use nutpurse::testing::config::{Environment, Home};
use nutpurse::testing::store::Change;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::harness::{self, Outcome};
use testbed::{Lightning, MintOptions, TestMint};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const STARTS: usize = 20;
const BALANCES: usize = 200;
const PAYMENTS: usize = 10;
const PROOFS: usize = 10_000;

/// How often a figure that a bound speaks of is measured; the lowest counts. Whatever else runs on
/// the machine can only add to it.
const ROUNDS: usize = 3;

const START_BOUND: Duration = Duration::from_millis(50);
const BALANCE_BOUND: Duration = Duration::from_millis(1);
const MEMORY_BOUND_MIB: f64 = 40.0;
const SHIM_BOUND_MIB: f64 = 20.0;

/// How the wallet is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As a client starts it: a shim, and one process that keeps the wallet.
    Shared,
    /// In one process.
    InProcess,
}

/// The binary as an MCP server, with this process as its client.
struct Session {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
}

impl Session {
    fn start(binary: &Path, home: &Path, way: Way) -> Outcome<Self> {
        let mut child = Command::new(binary)
            .args((way == Way::InProcess).then_some("--in-process"))
            .env("NUTPURSE_HOME", home)
            .env("NUTPURSE_KEYRING", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                format!("{}: {error}; run cargo build --release first", binary.display())
            })?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        Ok(Self { child, input, output, asked: 0 })
    }

    /// Asks and waits for the answer, past notices.
    async fn ask(&mut self, method: &str, params: Value) -> Outcome<Value> {
        self.asked += 1;
        let line = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        self.input.write_all(format!("{line}\n").as_bytes()).await?;
        loop {
            let line = self.output.next_line().await?.ok_or("the session ended")?;
            let mut answer: Value = serde_json::from_str(&line)?;
            if answer.get("id") == Some(&json!(self.asked)) {
                return answer.get_mut("result").map(Value::take).ok_or(line.into());
            }
        }
    }

    async fn initialize(&mut self) -> Outcome {
        let client = json!({"name": "figures", "version": "1"});
        self.ask(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}),
        )
        .await?;
        self.input
            .write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n")
            .await?;
        Ok(())
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Outcome<Value> {
        let mut result =
            self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await?;
        result
            .get_mut("structuredContent")
            .map(Value::take)
            .ok_or_else(|| format!("{tool}: {result}").into())
    }

    /// Closes its input and waits for its end.
    async fn end(self) -> Outcome {
        let Self { mut child, input, .. } = self;
        drop(input);
        child.wait().await?;
        Ok(())
    }

    /// Its own resident memory, where the system tells.
    fn memory_mib(&self) -> Option<f64> {
        memory_mib(self.child.id()?)
    }
}

/// A process's resident memory.
fn memory_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?
        .split_whitespace()
        .next()?
        .parse::<f64>()
        .ok()?;
    Some(kib / 1024.0)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// An owner's command; what it printed.
async fn command(binary: &Path, home: &Path, verb: &str) -> Outcome<String> {
    let output = Command::new(binary)
        .arg("--home")
        .arg(home)
        .arg(verb)
        .env("NUTPURSE_KEYRING", "off")
        .output()
        .await?;
    Ok(String::from_utf8(output.stdout)?)
}

/// The process that keeps the wallet of a folder, as `doctor` names it.
async fn daemon(binary: &Path, home: &Path) -> Outcome<u32> {
    let said = command(binary, home, "doctor").await?;
    let process = said
        .lines()
        .find_map(|line| line.strip_prefix("process: ")?.split(' ').next()?.parse().ok());
    process.ok_or_else(|| format!("no process keeps the wallet: {said}").into())
}

/// From the start of the process to its first answer, with no network in reach of it: each time in
/// an empty folder where nobody keeps a wallet, or in one that is kept already.
async fn start(binary: &Path, way: Way, is_kept: bool) -> Outcome<Duration> {
    let kept = TempDir::new()?;
    let mut times = Vec::new();
    if is_kept {
        let mut first = Session::start(binary, kept.path(), way)?;
        first.initialize().await?;
        first.end().await?;
    }
    for _ in 0..STARTS {
        let fresh = TempDir::new()?;
        let home = if is_kept { kept.path() } else { fresh.path() };
        let begun = Instant::now();
        let mut session = Session::start(binary, home, way)?;
        session.initialize().await?;
        times.push(begun.elapsed());
        session.end().await?;
        if way == Way::Shared && !is_kept {
            command(binary, home, "stop").await?;
        }
    }
    if is_kept {
        command(binary, kept.path(), "stop").await?;
    }
    Ok(median(times))
}

/// Keeps every processor awake while it lives, and gives way to whoever wants one: on a machine
/// with nothing to do, waking a sleeping processor takes longer than the wallet.
fn awake() -> Vec<Child> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let spin = || {
        Command::new("nice")
            .args(["-n", "19", "sh", "-c", "while :; do :; done"])
            .kill_on_drop(true)
            .spawn()
            .ok()
    };
    (0..processors).filter_map(|_| spin()).collect()
}

async fn balance(session: &mut Session) -> Outcome<Duration> {
    let _awake = awake();
    let mut times = Vec::new();
    for _ in 0..BALANCES {
        let begun = Instant::now();
        session.call("get_balance", json!({})).await?;
        times.push(begun.elapsed());
    }
    Ok(median(times))
}

/// Measures a few times; the lowest counts.
async fn lowest(mut once: impl AsyncFnMut() -> Outcome<Duration>) -> Outcome<Duration> {
    let mut lowest = Duration::MAX;
    for _ in 0..ROUNDS {
        lowest = lowest.min(once().await?);
    }
    Ok(lowest)
}

/// A warm payment: all of it, and the part of it that the mint took.
async fn payments(
    session: &mut Session,
    mint: &TestMint,
    lightning: &Lightning,
) -> Outcome<(Duration, Duration)> {
    let shop = lightning.payee("shop");
    let (mut whole, mut inside) = (Vec::new(), Vec::new());
    for number in 0..PAYMENTS {
        let invoice = shop.invoice(5, &format!("number {number}"))?.to_string();
        let _others = mint.take_requests();
        let begun = Instant::now();
        let paid = session.call("pay", json!({"to": invoice})).await?;
        whole.push(begun.elapsed());
        inside.push(mint.time_inside());
        if paid.get("state") != Some(&json!("settled")) {
            return Err(format!("pay: {paid}").into());
        }
    }
    Ok((median(whole), median(inside)))
}

/// Puts proofs like those that are there into the store. They are worth nothing, and nobody is
/// asked.
async fn fill(home: &Path, count: usize) -> Outcome {
    let home = Home::resolve(Some(home), &Environment::default())?;
    let store = open_store(&home).await?;
    let known = store.proofs_in(Some(vec![State::Unspent])).await?;
    let like = known.first().ok_or("no proof to copy")?;
    let copies = (0..count).map(|_| {
        let mut proof = like.proof.clone();
        proof.secret = Secret::generate();
        ProofInfo::new(proof, like.mint_url.clone(), State::Unspent, like.unit.clone())
    });
    Ok(store.commit(vec![Change::Proofs { add: copies.collect::<Result<_, _>>()? }]).await?)
}

/// Prints figures and remembers whether every bound held.
#[derive(Default)]
struct Sheet {
    broken: usize,
}

impl Sheet {
    fn figure(&self, what: &str, value: &str) {
        println!("{what:<58} {value:>12}");
    }

    fn bounded(&mut self, what: &str, value: f64, bound: f64, unit: &str) {
        let holds = value < bound;
        self.broken += usize::from(!holds);
        let verdict = if holds { "holds" } else { "BROKEN" };
        println!(
            "{what:<58} {:>12}   bound {bound} {unit}: {verdict}",
            format!("{value:.2} {unit}")
        );
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let binary = given
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/nutpurse"));
    let mut sheet = Sheet::default();

    let alone = lowest(async || start(&binary, Way::InProcess, false).await).await?;
    sheet.bounded("initialize, in one process, without network", ms(alone), ms(START_BOUND), "ms");
    let cold = lowest(async || start(&binary, Way::Shared, false).await).await?;
    sheet.bounded(
        "initialize, through a shim that starts the daemon",
        ms(cold),
        ms(START_BOUND),
        "ms",
    );
    let warm = lowest(async || start(&binary, Way::Shared, true).await).await?;
    sheet.bounded(
        "initialize, through a shim to a running daemon",
        ms(warm),
        ms(START_BOUND),
        "ms",
    );

    let lightning = Lightning::new();
    let mint = TestMint::start(&lightning, MintOptions::default()).await?;
    let home = harness::Home::at([mint.url()])?;
    let mut session = Session::start(&binary, home.path(), Way::Shared)?;
    session.initialize().await?;
    let deposit = session.call("deposit", json!({"amount_sats": 1_000})).await?;
    let received = session
        .call("get_deposit", json!({"deposit_id": deposit.get("deposit_id"), "wait_seconds": 30}))
        .await?;
    if received.get("state") != Some(&json!("received")) {
        return Err(format!("get_deposit: {received}").into());
    }
    let few = lowest(async || balance(&mut session).await).await?;
    sheet.bounded("get_balance, through a shim", ms(few), ms(BALANCE_BOUND), "ms");
    payments(&mut session, &mint, &lightning).await?;
    let daemon = memory_mib(daemon(&binary, home.path()).await?);
    if let (Some(shim), Some(daemon)) = (session.memory_mib(), daemon) {
        sheet.bounded("resident memory of a shim", shim, SHIM_BOUND_MIB, "MiB");
        sheet.bounded(
            "resident memory of the daemon after ten payments",
            daemon,
            MEMORY_BOUND_MIB,
            "MiB",
        );
    }
    let (whole, inside) = payments(&mut session, &mint, &lightning).await?;
    sheet.figure("a warm payment, through a shim", &format!("{:.2} ms", ms(whole)));
    sheet.figure("  of it inside of the mint", &format!("{:.2} ms", ms(inside)));
    sheet.figure(
        "  the wallet's own share, with pipes and loopback",
        &format!("{:.2} ms", ms(whole.saturating_sub(inside))),
    );
    session.end().await?;
    command(&binary, home.path(), "stop").await?;

    let mut session = Session::start(&binary, home.path(), Way::InProcess)?;
    session.initialize().await?;
    let few = lowest(async || balance(&mut session).await).await?;
    sheet.bounded("get_balance, in one process", ms(few), ms(BALANCE_BOUND), "ms");
    let (whole, inside) = payments(&mut session, &mint, &lightning).await?;
    sheet.figure("a warm payment, in one process", &format!("{:.2} ms", ms(whole)));
    sheet.figure("  of it inside of the mint", &format!("{:.2} ms", ms(inside)));
    session.end().await?;

    fill(home.path(), PROOFS).await?;
    let mut session = Session::start(&binary, home.path(), Way::Shared)?;
    session.initialize().await?;
    session.call("get_balance", json!({})).await?;
    let many = lowest(async || balance(&mut session).await).await?;
    sheet.bounded(
        "get_balance, through a shim, 10,000 proofs in the store",
        ms(many),
        ms(BALANCE_BOUND),
        "ms",
    );
    session.end().await?;
    command(&binary, home.path(), "stop").await?;

    sheet.figure(
        "size of the binary",
        &format!("{:.1} MiB", std::fs::metadata(&binary)?.len() as f64 / 1_048_576.0),
    );
    match sheet.broken {
        0 => Ok(()),
        broken => Err(format!("{broken} bounds are broken").into()),
    }
}
