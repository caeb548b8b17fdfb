//! Many processes on one wallet: shims, the process that keeps it, and what becomes of money when
//! either is gone.

mod access;
mod ending;
mod failover;
mod sharing;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout};

use crate::world::{Home, binary};

/// Longer than any call takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary as a client starts it: a shim.
fn command(home: &Home, agent: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nutpurse"));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("NUTPURSE_KEYRING", "off")
        .env("NUTPURSE_LOG", "debug");
    command.arg("--home").arg(home.path()).args(["--agent", agent]);
    command
}

/// A client with a shim, line by line.
struct Shim {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    next: u64,
    /// Answers that came while another was waited for.
    early: Vec<Value>,
}

impl Shim {
    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output, next: 0, early: Vec::new() }
    }

    /// Starts one and shakes hands in the older era.
    async fn start(home: &Home, agent: &str) -> Self {
        let mut shim = Self::spawn(command(home, agent));
        shim.shake_hands().await;
        shim
    }

    async fn shake_hands(&mut self) {
        let us = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}});
        let answer = self.ask("initialize", us).await;
        assert_eq!(answer["result"]["serverInfo"]["name"], "nutpurse", "{answer}");
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap()
    }

    async fn send(&mut self, message: &Value) {
        self.input.as_mut().unwrap().write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// Sends a request; its id.
    async fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    async fn begin_call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.begin("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// The next line; every line is a message.
    async fn line(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.output.next_line())
            .await
            .unwrap_or_else(|_| panic!("no line within a minute"))
            .unwrap()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// The answer to a request.
    async fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.early.iter().position(|message| message["id"] == id) {
            return self.early.remove(at);
        }
        loop {
            let message = self.line().await.unwrap_or_else(|| panic!("no answer to {id}"));
            if message["id"] == id {
                return message;
            }
            self.early.push(message);
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params).await;
        self.answer(id).await
    }

    /// What a tool answered: the result, or the error object.
    async fn told(&mut self, id: u64) -> Value {
        let answer = self.answer(id).await;
        match answer["result"].get("structuredContent") {
            Some(structured) => structured.clone(),
            None => serde_json::from_str(
                answer["result"]["content"][0]["text"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{answer}")),
            )
            .unwrap(),
        }
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.begin_call(tool, arguments).await;
        self.told(id).await
    }

    /// Calls a tool that must do it.
    async fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let told = self.call(tool, arguments).await;
        assert!(told.get("error").is_none(), "{tool}: {told}");
        told
    }

    /// Asks until a payment is final.
    async fn ended(&mut self, which: Value) -> Value {
        let (since, mut asked) = (Instant::now(), which.clone());
        asked["wait_seconds"] = json!(5);
        while since.elapsed() < 2 * PATIENCE {
            let shown = self.call("get_payment", asked.clone()).await;
            if shown["final"] == true {
                return shown;
            }
            if shown.get("error").is_some() {
                // It has not waited.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        panic!("{which} does not end")
    }

    /// Puts sats in by a deposit that pays itself.
    async fn fund(&mut self, sats: u64) {
        let deposit = self.ok("deposit", json!({"amount_sats": sats})).await;
        let got = self
            .ok("get_deposit", json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 40}))
            .await;
        assert_eq!(got["state"], "received", "{got}");
    }

    /// Closes its input and gives its exit code.
    async fn hang_up(mut self) -> Option<i32> {
        drop(self.input.take());
        timeout(PATIENCE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("it does not end"))
            .unwrap()
            .code()
    }
}

/// The processes that have this wallet's store open.
fn holders(home: &Home) -> Vec<Pid> {
    let Ok(store) = fs::metadata(home.path().join("wallet.redb")) else { return Vec::new() };
    let same = |link: PathBuf| {
        fs::metadata(link).is_ok_and(|file| file.ino() == store.ino() && file.dev() == store.dev())
    };
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) =
            process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        if files.map(|file| file.path()).any(same) {
            found.push(pid);
        }
    }
    found
}

/// The processes that keep this folder or carry lines to who does, by their command lines.
fn processes(home: &Home) -> Vec<(Pid, String)> {
    let folder = home.path().to_str().unwrap().to_owned();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) =
            process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&folder) && line.contains("nutpurse ") {
            found.push((pid, line));
        }
    }
    found
}

/// The one process that keeps this wallet.
fn daemon(home: &Home) -> Pid {
    let holders = holders(home);
    assert_eq!(holders.len(), 1, "one process holds the store: {holders:?}");
    holders[0]
}

fn kill(process: Pid) {
    kill_process(process, Signal::KILL).unwrap();
}

/// Waits until this is so. Of other people's processes no event tells: this looks again and again.
async fn until(what: &str, patience: Duration, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A folder whose daemon stays for so many seconds without a client.
fn home(mints: &[(&str, bool)], idle: u64) -> Arc<Home> {
    let home = Home::at(mints);
    home.write_config(mints, 100_000, 1_000_000, &format!("[daemon]\nidle_seconds = {idle}\n"));
    Arc::new(home)
}

/// Ends the daemon in order, so that the wallet can be opened in this process.
fn stop(home: &Home) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nutpurse"));
    command.env_clear().env("NUTPURSE_KEYRING", "off").arg("--home").arg(home.path()).arg("stop");
    let output = binary::run(command, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A command of the shipped binary through the daemon; its output.
fn done(home: &Home, line: &[&str]) -> Result<String, String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nutpurse"));
    command.env_clear().env("NUTPURSE_KEYRING", "off").arg("--home").arg(home.path()).args(line);
    let output = binary::run(command, "");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(format!("{}{}", text(output.stdout), text(output.stderr)))
    }
}
