//! Many processes on one wallet: copies started at once, the end of the process that keeps the
//! wallet, who is let in, and what the rows of other groups ask of a shared wallet.
//!
//! What a client starts is a shim here, and the daemon is nobody's child: its disk is the true one,
//! and so is its clock. What waits for a minute to pass is judged afterwards, in one process, by
//! [`Scene::lifted`].

mod copies;
mod doors;
mod ends;
mod failover;
mod leftovers;
mod traces;
mod versions;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use testbed::harness::{self, Client, Outcome, Settings, WIDE, holds};
use testbed::must;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use crate::scene::Scene;
use crate::table::How::{self, Alone, Runs};
use crate::wallet::Wallet;

pub(crate) use ends::{ends_in_a_payment, stopped};
pub(crate) use traces::{modes, what_others_read};

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-053", Alone(|run| Box::pin(copies::at_once(run)))),
    ("F-054", Alone(|run| Box::pin(failover::killed(run)))),
    ("F-055", Runs(|run| Box::pin(leftovers::left_behind(run)))),
    ("F-056", Runs(|run| Box::pin(versions::mixed(run)))),
    ("F-131", Runs(|run| Box::pin(doors::strangers(run)))),
];

/// How soon a client is told that its daemon is gone, and served by the next.
const SOON: Duration = Duration::from_secs(5);
/// Seconds without a session after which a daemon of a row ends.
const IDLE: &str = "[daemon]\nidle_seconds = 3\n";

impl Scene {
    /// A wallet that several processes share, with so many sats in it.
    pub(crate) async fn shared(&self, sats: u64) -> Outcome<Arc<Wallet>> {
        let wallet = self.shared_below("").await?;
        if sats > 0 {
            wallet.fund(sats).await?;
        }
        Ok(wallet)
    }

    /// The same with a folder so deep below the scene's, and empty.
    pub(crate) async fn shared_below(&self, path: &str) -> Outcome<Arc<Wallet>> {
        let wallet = self.wallet_below(path, &[self.proxy.url()], WIDE)?;
        wallet.home.configure(&Settings::at([self.proxy.url()]).more(IDLE))?;
        wallet.share().await?;
        Ok(wallet)
    }
}

impl Wallet {
    /// The processes that have its store open.
    pub(crate) fn holders(&self) -> Vec<Pid> {
        harness::holders(self.home.path())
    }

    /// The one process that keeps it.
    pub(crate) fn daemon(&self) -> Outcome<Pid> {
        match self.holders().as_slice() {
            [one] => Ok(*one),
            others => Err(format!("one process was to hold the store: {others:?}").into()),
        }
    }

    /// Ends the process that keeps it, in order.
    pub(crate) async fn stop(&self) -> Outcome {
        let told = tokio::process::Command::from(self.stopping()).output().await?;
        must!(
            told.status.success(),
            "it is not stopped: {}",
            String::from_utf8_lossy(&told.stderr)
        );
        must!(!self.daemon_log().contains("panicked"), "a daemon panicked");
        holds(self.holders().is_empty(), "it was stopped, and holds the store")
    }

    fn stopping(&self) -> Command {
        let mut command = harness::program(&self.run.binary, self.home.path());
        command.arg("stop");
        command
    }

    /// Leaves no daemon behind, also where a row has failed.
    pub(crate) fn leave(&self) {
        self.stopping().output().ok();
    }

    /// Waits until it serves.
    pub(crate) async fn serves(&self, patience: Duration) -> Outcome {
        let since = Instant::now();
        while self.told("get_balance", json!({})).await?.is_error {
            must!(since.elapsed() < patience, "it does not serve within {patience:?}");
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// What its daemons have logged.
    pub(crate) fn daemon_log(&self) -> String {
        ["daemon.log.2", "daemon.log.1", "daemon.log"].map(|name| self.home.read(name)).concat()
    }

    /// Says this at its socket, by hand, and gives all that is said to it until the other side ends
    /// or has said a line.
    pub(crate) async fn knock(&self, words: &[u8]) -> Outcome<String> {
        let mut stream = self.connect().await?;
        // It may be sent away before it has said all.
        stream.write_all(words).await.ok();
        let mut told = Vec::new();
        let listening =
            BufReader::new(stream).take(1 << 20).read_until(b'\n', &mut told).await.map(drop);
        let is_cut =
            listening.is_err_and(|error| error.kind() != std::io::ErrorKind::ConnectionReset);
        must!(!is_cut, "the socket fails");
        Ok(String::from_utf8(told)?)
    }

    /// A connection to its socket.
    pub(crate) async fn connect(&self) -> Outcome<UnixStream> {
        Ok(UnixStream::connect(self.home.path().join("daemon.sock")).await?)
    }

    /// The token that its daemon's note holds.
    pub(crate) fn token(&self) -> Outcome<String> {
        let note: Value = serde_json::from_str(&self.home.read("daemon.lock"))?;
        Ok(note.get("token").and_then(Value::as_str).ok_or("no token in the note")?.to_owned())
    }

    /// How its folder is named at the socket.
    pub(crate) fn folder(&self) -> Outcome<String> {
        let about = fs::metadata(self.home.path())?;
        Ok(format!("{}:{}", about.dev(), about.ino()))
    }
}

/// Sends a signal to a process that is none of ours.
fn signal(process: Pid, signal: Signal) -> Outcome {
    Ok(kill_process(process, signal)?)
}

/// Waits until this is so. Of other people's processes no event tells: this looks again and again.
async fn until(
    what: &str,
    patience: Duration,
    is_so: impl Fn() -> Outcome<bool> + Send,
) -> Outcome {
    let since = Instant::now();
    while !is_so()? {
        must!(since.elapsed() < patience, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// An answer that must come within this time.
async fn within<T>(patience: Duration, what: &str, answer: impl Future<Output = T>) -> Outcome<T> {
    timeout(patience, answer).await.map_err(|_| format!("not within {patience:?}: {what}").into())
}
