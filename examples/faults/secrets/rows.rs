//! Rows F-127 to F-130, F-133 and F-134: what is written where others can read it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::{Value, json};
use testbed::harness::{Answer, Client, NOBODY, Outcome, Session, closed_to_others, mode, secrets};
use testbed::must;
use testbed::{Behaviour, Moment, Rule};

use crate::daemon;
use crate::stage::Stage;
use crate::trial::Run;
use crate::wallet::Wallet;

/// The keys of a wallet in every form in which they might be written.
fn keys(wallet: &Wallet) -> Outcome<Vec<String>> {
    secrets::keys(&wallet.home.mnemonic()?)
}

/// A session with every tool and every way to fail, at the highest level of logging.
async fn story(stage: &Stage) -> Outcome<(usize, Vec<(String, String)>)> {
    let friend = stage.friend(500).await?;
    let (wire, proxy) = (&stage.wire, &stage.scene.proxy);
    let (failing, hash) = stage.scene.invoice(40)?;
    stage.scene.lightning.set_behaviour_of(&hash, Behaviour::Fail);
    let gift = friend.ok("send_token", json!({"amount_sats": 21, "memo": "gift"})).await?;
    let mut answers = Vec::new();
    let mut say = |tool: &str, told: Answer| answers.push((tool.to_owned(), told.to_string()));
    say("pay", wire.told("pay", json!({"to": stage.invoice(30)?})).await?);
    say("failed", wire.told("pay", json!({"to": failing})).await?);
    say(
        "send_token",
        wire.told("send_token", json!({"amount_sats": 33, "memo": "a", "lock_to": NOBODY})).await?,
    );
    say("receive_token", wire.told("receive_token", json!({"token": gift.text("token")})).await?);
    let mut fired = 0;
    for (path, moment) in [
        ("/v1/swap", Moment::Garbage),
        ("/v1/swap", Moment::Status(500)),
        ("/v1/swap", Moment::Refuse(11_001)),
        ("/v1/swap", Moment::AfterMint),
        ("/v1/melt/bolt11", Moment::Garbage),
        ("/v1/melt/bolt11", Moment::AfterMint),
        ("/v1/mint/bolt11", Moment::Truncate),
        ("/v1/restore", Moment::Garbage),
        ("/v1/checkstate", Moment::Garbage),
    ] {
        let rule = proxy.fail(Rule::new("POST", path, moment));
        say("pay", wire.told("pay", json!({"to": stage.invoice(20)?})).await?);
        let token =
            json!({"amount_sats": 34, "memo": format!("{path} {moment:?}"), "lock_to": NOBODY});
        say("send_token", wire.told("send_token", token).await?);
        let deposit = wire.told("deposit", json!({"amount_sats": 10})).await?;
        say(
            "get_deposit",
            wire.told(
                "get_deposit",
                json!({"deposit_id": deposit.text("deposit_id"), "wait_seconds": 1}),
            )
            .await?,
        );
        fired += proxy.fired(rule);
        proxy.clear();
    }
    let broken = gift.text("token").get(..80).unwrap_or_default().to_owned();
    say("failed", wire.told("receive_token", json!({"token": broken})).await?);
    say("failed", wire.told("pay", json!({"to": gift.text("token")})).await?);
    for tool in ["get_balance", "list_mints", "list_history"] {
        say(tool, wire.told(tool, json!({})).await?);
    }
    say("list_history", wire.told("list_history", json!({"since": "all", "format": "csv"})).await?);
    Ok((fired, answers))
}

/// All logging on, everything done and everything failed: no key, no coin, no token, no preimage
/// where it does not belong.
pub(crate) async fn f127(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let (fired, answers) = story(&stage).await?;
    stage.scene.lifted().await?;
    stage.conserved().await?;
    let keys = keys(&stage.wire)?;
    let exchanges = stage.scene.proxy.exchanges();
    let inputs = exchanges.iter().filter_map(|one| one.request.get("inputs")?.as_array()).flatten();
    let coins: BTreeSet<String> =
        inputs.filter_map(|proof| Some(proof.get("secret")?.as_str()?.to_owned())).collect();
    must!(coins.len() > 10, "only {} coins went to the mint", coins.len());
    let payments = stage.scene.lightning.payments();
    let preimages: Vec<String> = payments
        .iter()
        .filter_map(|one| stage.scene.lightning.preimage(&one.payment_hash))
        .collect();
    let mut logged = 0;
    for wallet in stage.scene.wallets() {
        let log = fs::read_to_string(wallet.log_path())?;
        logged += log.len();
        for secret in keys.iter().chain(&coins).chain(&preimages) {
            must!(!log.contains(secret.as_str()), "a secret stands in the log");
            must!(
                !secrets::forms(secret).iter().any(|form| log.contains(form)),
                "a secret stands in the log in another form"
            );
        }
        must!(!log.contains("cashuA") && !log.contains("cashuB"), "a token stands in the log");
    }
    must!(logged > 100, "nothing was logged: the row looks past it");
    for (tool, text) in &answers {
        must!(!keys.iter().any(|secret| text.contains(secret)), "{tool} tells of the keys");
        must!(!coins.iter().any(|coin| text.contains(coin.as_str())), "{tool} tells of a coin");
        must!(
            tool == "pay" || !preimages.iter().any(|preimage| text.contains(preimage)),
            "{tool} tells a preimage"
        );
        must!(tool == "send_token" || !text.contains("cashuB"), "{tool} tells a token: {text}");
    }
    Ok(fired)
}

/// Killed by a signal that dumps core: there is no core, and the limit says that there never will
/// be.
pub(crate) async fn f128(run: Run) -> Outcome<usize> {
    // What is started from here may dump core, unless it forbids that itself. SIGQUIT is not among
    // the signals: a shell has what it starts in the background ignore it.
    let hard = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: hard, maximum: hard })?;
    must!(hard != Some(0), "cores are forbidden here anyway: the row looks past it");
    let stage = Stage::new(&run, 100).await?;
    let mut fired = 0;
    for signal in [Signal::ABORT, Signal::ILL, Signal::TRAP] {
        let session = stage.wire.session().await?;
        let limits =
            fs::read_to_string(format!("/proc/{}/limits", session.process().as_raw_nonzero()))?;
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .ok_or("no such limit")?;
        let numbers: Vec<&str> = core
            .split_whitespace()
            .filter(|word| word.chars().all(|letter| letter.is_ascii_digit()))
            .collect();
        must!(numbers == ["0", "0"], "cores are allowed: {core}");
        session.signal(signal)?;
        let status = session.gone().await?;
        must!(!status.success(), "the signal did not end it");
        let dumped = std::os::unix::process::ExitStatusExt::core_dumped(&status);
        must!(!dumped, "it dumped core");
        fired += 1;
        stage.wire.restart().await?;
    }
    let left = files(stage.wire.home.path())?.into_iter().find(|name| name.contains("core"));
    must!(left.is_none(), "{left:?}");
    let log = fs::read_to_string(stage.wire.log_path())?;
    must!(
        !keys(&stage.wire)?.iter().any(|secret| log.contains(secret)),
        "a secret stands in the log"
    );
    stage.conserved().await?;
    Ok(fired)
}

/// The names of all files below a folder.
fn files(folder: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            names.extend(files(&path)?);
        } else {
            names.push(
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default(),
            );
        }
    }
    Ok(names)
}

/// What every process of the user can read of a running wallet: its command line and its
/// environment hold no secret.
pub(crate) async fn f129(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 500).await?;
    let token = stage.wire.ok("send_token", json!({"amount_sats": 32})).await?;
    let process = stage.wire.session().await?.process().as_raw_nonzero();
    let mut secrets = keys(&stage.wire)?;
    secrets.push(token.text("token").to_owned());
    let mut read = 0;
    for name in ["cmdline", "environ", "comm", "status"] {
        let bytes = fs::read(format!("/proc/{process}/{name}")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        must!(!secrets.iter().any(|secret| text.contains(secret)), "{name} holds a secret");
        read += usize::from(!bytes.is_empty());
    }
    for line in [
        vec!["--help"],
        vec!["limits"],
        vec!["mints"],
        vec!["get-balance", "--json"],
        vec!["list-history"],
    ] {
        stage.wire.close().await?;
        let told = stage.wire.command("owner").args(&line).output().await?;
        let text = [told.stdout, told.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        must!(!secrets.iter().any(|secret| text.contains(secret)), "{line:?} prints a secret");
        read += 1;
    }
    stage.conserved().await?;
    Ok(read + daemon::what_others_read(&run, keys).await?)
}

/// Everything that it writes is its owner's alone, and nothing lies about elsewhere.
pub(crate) async fn f130(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let elsewhere = tempfile::Builder::new().prefix("nutpurse-tmp-").tempdir()?;
    stage.wire.close().await?;
    let mut command = stage.wire.command("tester");
    command
        .env("TMPDIR", elsewhere.path())
        .env("HOME", elsewhere.path())
        .current_dir(elsewhere.path());
    let log = fs::File::create(stage.wire.home.path().with_extension("log"))?;
    let session = Session::start(command, log, &run.watch).await?;
    for (tool, arguments) in [
        ("pay", json!({"to": stage.invoice(20)?})),
        ("send_token", json!({"amount_sats": 33})),
        ("deposit", json!({"amount_sats": 10, "qr": true})),
        ("list_history", json!({"format": "csv"})),
    ] {
        session.call(tool, arguments).await?.ok_or("it ended")?;
    }
    session.kill().await?;
    let seen = closed_to_others(stage.wire.home.path())?;
    let left = files(elsewhere.path())?;
    must!(left.is_empty(), "it wrote elsewhere: {left:?}");
    stage.conserved().await?;
    Ok(seen + daemon::modes(&run).await?)
}

/// No keyring, and one that takes the connection and says nothing: the wallet is there in seconds,
/// and says where its keys lie.
pub(crate) async fn f133(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 0).await?;
    let folder = tempfile::Builder::new().prefix("nutpurse-bus-").tempdir()?;
    let socket = folder.path().join("bus");
    let silent = UnixListener::bind(&socket)?;
    let mut fired = 0;
    for bus in [
        format!("unix:path={}", folder.path().join("none").display()),
        format!("unix:path={}", socket.display()),
    ] {
        let wallet = stage.scene.wallet()?;
        let mut command = wallet.command("tester");
        command
            .env("NUTPURSE_KEYRING", "")
            .env_remove("NUTPURSE_KEYRING")
            .env("DBUS_SESSION_BUS_ADDRESS", &bus);
        let log = fs::File::create(wallet.home.path().with_extension("log"))?;
        let since = Instant::now();
        let session = Session::start(command, log, &run.watch).await?;
        let told = session.call("get_balance", json!({})).await?.ok_or("it ended")?;
        must!(since.elapsed() < Duration::from_secs(5), "{bus}: {:?}", since.elapsed());
        must!(!told.is_error && told.text("keys") == "file", "{bus}: {told}");
        let kept = wallet.home.path().join("keys.toml");
        must!(!kept.exists() || mode(&kept)? == 0o600, "keys.toml is open to others");
        session.kill().await?;
        fired += 1;
    }
    silent.set_nonblocking(true)?;
    must!(silent.accept().is_ok(), "nobody asked the keyring: the row looks past it");
    Ok(fired)
}

/// A send that fails at each of its steps: no error holds a token or a coin, and the token is in
/// its own field alone.
pub(crate) async fn f134(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 10_000).await?;
    let mut fired = 0;
    for moment in [
        Moment::BeforeRequest,
        Moment::Status(500),
        Moment::Status(400),
        Moment::Refuse(11_001),
        Moment::Refuse(12_002),
        Moment::AfterMint,
        Moment::Garbage,
        Moment::Truncate,
    ] {
        let rule = stage.scene.proxy.fail(Rule::new("POST", "/v1/swap", moment));
        let memo = format!("{moment:?}");
        let told = stage
            .wire
            .told("send_token", json!({"amount_sats": 33, "memo": memo, "lock_to": NOBODY}))
            .await?;
        fired += stage.scene.proxy.fired(rule);
        stage.scene.proxy.clear();
        let text = told.value.to_string();
        must!(
            text.matches("cashu").count() == usize::from(!told.text("token").is_empty()),
            "{moment:?}: {text}"
        );
        must!(!told.is_error || !text.contains("cashu"), "{moment:?}: {text}");
        let inputs: Vec<Value> = stage
            .scene
            .proxy
            .exchanges()
            .iter()
            .filter_map(|one| one.request.get("inputs").cloned())
            .collect();
        let coins = inputs
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(|coin| coin.get("secret")?.as_str());
        must!(coins.into_iter().all(|coin| !text.contains(coin)), "{moment:?}: a coin in {text}");
    }
    stage.scene.conserved().await?;
    Ok(fired)
}
