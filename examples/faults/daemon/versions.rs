//! F-056: programs of different versions, settings and agents on one wallet. The other version is
//! spoken by hand.

use std::fs::{File, remove_file};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use testbed::harness::{Answer, Client, Outcome};
use testbed::must;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::Duration;

use super::{until, within};
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// How soon another version has made way.
const HANDED_OVER: Duration = Duration::from_secs(20);

pub(crate) async fn mixed(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let spoken = [
        ("an older shim", older_shim(&scene).await),
        ("a newer shim", newer_shim(&scene).await),
        ("an older daemon", older_daemon(&scene).await),
        ("a newer daemon", newer_daemon(&scene).await),
        ("other flags and agents", other_flags(&scene).await),
    ];
    let mut fired = 0;
    for (what, ended) in spoken {
        fired += ended.map_err(|error| format!("{what}: {error}"))?;
    }
    scene.conserved().await?;
    Ok(Proof::of(fired))
}

/// A first line of this version.
fn hello(wallet: &Wallet, protocol: u32, version: &str, want: &str) -> Outcome<Vec<u8>> {
    let hello = json!({"protocol": protocol, "version": version, "token": wallet.token()?, "folder": wallet.folder()?,
        "settings": "keyring off", "agent": "by-hand", "want": want});
    Ok(format!("{hello}\n").into_bytes())
}

/// One that speaks another protocol is told so, with our version; one that speaks ours is served,
/// as the agent that it names.
async fn older_shim(scene: &Scene) -> Outcome<usize> {
    let wallet = scene.shared(100).await?;
    let daemon = wallet.daemon()?;
    let told: Value =
        serde_json::from_str(&wallet.knock(&hello(&wallet, 0, "0.0.1", "session")?).await?)?;
    let is_explicit = told.get("refused") == Some(&json!("protocol"))
        && told.get("version").is_some_and(Value::is_string);
    must!(is_explicit && told.get("protocol") == Some(&json!(1)), "told {told}");
    let mut stream = BufReader::new(wallet.connect().await?);
    stream.write_all(&hello(&wallet, 1, "0.0.1", "session")?).await?;
    let us = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}});
    for message in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": us}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_balance", "arguments": {}}}),
    ] {
        stream.write_all(format!("{message}\n").as_bytes()).await?;
    }
    let balance =
        within(HANDED_OVER, "an answer to an older shim", answer(&mut stream, 2)).await??;
    must!(
        balance.text("agent") == "by-hand" && balance.sats("spendable_sats") == 100,
        "answered {balance}"
    );
    must!(wallet.daemon()? == daemon, "it made way for an older program");
    wallet.ok("get_balance", json!({})).await?;
    end(&wallet).await?;
    Ok(2)
}

async fn answer(stream: &mut BufReader<UnixStream>, id: u64) -> Outcome<Answer> {
    let mut line = String::new();
    loop {
        line.clear();
        must!(stream.read_line(&mut line).await? > 0, "the session ended");
        let message: Value = serde_json::from_str(&line)?;
        if message.get("id") == Some(&json!(id)) {
            return Answer::read(&message, Duration::ZERO);
        }
    }
}

/// It asks the daemon to finish: what is under way is finished, and the sessions find the next
/// daemon.
async fn newer_shim(scene: &Scene) -> Outcome<usize> {
    let wallet = scene.shared(500).await?;
    let daemon = wallet.daemon()?;
    let session = wallet.session().await?;
    let mut calls = Vec::new();
    for _ in 0..10 {
        let (invoice, hash) = scene.invoice(10)?;
        let (_, answer) = session.begin_call("pay", json!({"to": invoice})).await?;
        calls.push((answer, hash));
    }
    let told = wallet.knock(&hello(&wallet, 9, "99.0.0", "finish")?).await?;
    must!(told.contains("\"version\"") && !told.contains("refused"), "told {told}");
    for (answer, hash) in calls {
        let message = within(HANDED_OVER, "an answer over the handover", answer).await??;
        let told = Answer::read(&message, Duration::ZERO)?;
        must!(told.word() == "settled" || told.word() == "outcome_unknown", "told {told}");
        scene.agrees(&wallet.ended_by_hash(&hash).await?, &hash)?;
    }
    until(
        "the older daemon is gone",
        HANDED_OVER,
        || Ok(wallet.holders().first() != Some(&daemon)),
    )
    .await?;
    wallet.ok("get_balance", json!({})).await?;
    must!(wallet.daemon()? != daemon, "it did not make way");
    end(&wallet).await?;
    Ok(1)
}

/// Keeps the folder by hand: holds its lock, listens, answers every first line with `welcome`, and
/// lets go when it is asked to finish.
struct ByHand {
    heard: Arc<Mutex<Vec<String>>>,
    _keeping: JoinSet<()>,
}

impl ByHand {
    fn keep(wallet: &Wallet, welcome: Value) -> Outcome<Self> {
        wallet
            .home
            .write("daemon.lock", &json!({"token": "by hand", "version": "by hand"}).to_string())?;
        let lock =
            File::options().read(true).write(true).open(wallet.home.path().join("daemon.lock"))?;
        lock.try_lock()?;
        let socket = wallet.home.path().join("daemon.sock");
        let (listener, heard) = (UnixListener::bind(&socket)?, Arc::new(Mutex::new(Vec::new())));
        let (mut keeping, hearing) = (JoinSet::new(), Arc::clone(&heard));
        keeping.spawn(async move {
            let mut sessions = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (mut stream, mut line) = (BufReader::new(stream), String::new());
                stream.read_line(&mut line).await.ok();
                stream.write_all(format!("{welcome}\n").as_bytes()).await.ok();
                let want = serde_json::from_str::<Value>(&line)
                    .ok()
                    .and_then(|hello| Some(hello.get("want")?.as_str()?.to_owned()));
                let is_last = want.as_deref() == Some("finish");
                hearing.lock().unwrap_or_else(PoisonError::into_inner).extend(want);
                if is_last {
                    break;
                }
                sessions.push(stream);
            }
            // The socket first, the lock last.
            remove_file(&socket).ok();
            drop((listener, sessions, lock));
        });
        Ok(Self { heard, _keeping: keeping })
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A shim of ours asks it to make way, and starts a daemon of its own.
async fn older_daemon(scene: &Scene) -> Outcome<usize> {
    let wallet = scene.shared(0).await?;
    let by_hand = ByHand::keep(
        &wallet,
        json!({"protocol": 1, "version": "0.0.1", "settings": "keyring off"}),
    )?;
    wallet.fund(50).await?;
    must!(by_hand.heard() == ["session", "finish"], "it heard {:?}", by_hand.heard());
    wallet.daemon()?;
    end(&wallet).await?;
    Ok(1)
}

/// It speaks what we do not: the client is told what to do, nothing is taken from it, and all is
/// well once it is gone.
async fn newer_daemon(scene: &Scene) -> Outcome<usize> {
    let wallet = scene.shared(0).await?;
    let by_hand = ByHand::keep(
        &wallet,
        json!({"protocol": 2, "version": "9.0.0", "settings": "", "refused": "protocol"}),
    )?;
    let told = wallet.refuses("get_balance", json!({}), &["wallet_busy"]).await?;
    must!(told.text("next_step").contains("restart"), "not said what to do: {told}");
    let heard = by_hand.heard();
    must!(!heard.is_empty() && heard.iter().all(|want| want == "session"), "it heard {heard:?}");
    // Somebody else asks it to finish.
    let hello = json!({"protocol": 2, "want": "finish"});
    wallet.knock(format!("{hello}\n").as_bytes()).await?;
    wallet.serves(HANDED_OVER).await?;
    end(&wallet).await?;
    Ok(heard.len())
}

/// Each session is its own agent's; other settings are said in its log, and change nothing.
async fn other_flags(scene: &Scene) -> Outcome<usize> {
    let wallet = scene.shared(300).await?;
    let daemon = wallet.daemon()?;
    let mut sessions = Vec::new();
    for agent in ["one", "two", "one"] {
        let mut command = wallet.command(agent);
        command.env_remove("NUTPURSE_KEYRING").env("NUTPURSE_LOG", "warn").args(["--agent", agent]);
        sessions.push((agent, wallet.start(command).await?));
    }
    for (agent, session) in &sessions {
        session.ok("pay", json!({"to": scene.invoice(10)?.0})).await?;
        let balance = session.ok("get_balance", json!({})).await?;
        must!(balance.text("agent") == *agent, "{agent} is taken for {}", balance.text("agent"));
    }
    let spent = wallet.ok("list_history", json!({"since": "all", "summary_by": "agent"})).await?;
    let groups = spent.list("groups").to_vec();
    let of = |agent: &str| {
        let group = groups.iter().find(|group| group.get("key") == Some(&json!(agent)));
        group.and_then(|group| group.get("count")).and_then(Value::as_u64).unwrap_or(0)
    };
    must!((of("one"), of("two")) == (2, 1), "by agent: {groups:?}");
    must!(
        std::fs::read_to_string(wallet.log_path())?
            .contains("started with another NUTPURSE_KEYRING"),
        "other settings are not said"
    );
    must!(wallet.daemon()? == daemon, "another daemon");
    for (_, session) in sessions {
        session.close().await?;
    }
    end(&wallet).await?;
    Ok(3)
}

/// Ends its session and its daemon.
async fn end(wallet: &Wallet) -> Outcome {
    wallet.close().await?;
    wallet.stop().await
}
