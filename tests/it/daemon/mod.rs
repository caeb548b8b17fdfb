//! Many processes on one wallet: shims, the process that keeps it, and what becomes of money when
//! either is gone.

mod access;
mod ending;
mod failover;
mod sharing;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testbed::harness;
use tokio::time::Instant;

use crate::world::{Home, Settings, binary};

/// The processes that have this wallet's store open.
fn holders(home: &Home) -> Vec<Pid> {
    harness::holders(home.path())
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
fn home(mint: &str, idle: u64) -> Arc<Home> {
    let settings = Settings::at([mint]).more(&format!("[daemon]\nidle_seconds = {idle}"));
    Arc::new(Home::new(&settings).unwrap())
}

/// Ends the daemon in order, so that the wallet can be opened in this process.
fn stop(home: &Home) -> String {
    done(home, &["stop"]).unwrap()
}

/// A command of the shipped binary through the daemon; its output.
fn done(home: &Home, line: &[&str]) -> Result<String, String> {
    binary::tried(binary::program(home), line)
}
