//! What the command line wants of a keeper: one call of a tool, its state, its end.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep};

use super::elect::{Way, Why, elect, greet};
use super::hello::{Status, Want};
use super::lock::{Lock, LockError};
use super::lost::{Kind, busy};
use super::{elect, hello, lost};
use crate::wallet::{Code, Error};

/// The longest a keeper takes to make way: its sessions' last calls, and its wallet's.
const MAKING_WAY: Duration = Duration::from_secs(45);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Between two requests to make way.
const AGAIN: Duration = Duration::from_secs(2);

/// Takes the folder's lock, and asks a keeper that holds it to finish first. `None`: somebody else holds it and does not let go.
///
/// # Errors
/// The folder cannot be used or locked.
pub async fn finish(way: &Way) -> Result<Option<Lock>, Error> {
    let home = way.home()?;
    let until = Instant::now() + MAKING_WAY;
    let unusable = |error: LockError| elect::fault(&error);
    let (mut turn, mut asked) = (None, None::<Instant>);
    loop {
        if turn.is_none() {
            turn = Lock::turn(&home).map_err(unusable)?;
        }
        if let Some(lock) = Lock::take(&home).map_err(unusable)? {
            return Ok(Some(lock));
        }
        // A holder without a socket is no keeper, or one that has just begun or is about to end.
        if asked.is_none_or(|asked| asked.elapsed() >= AGAIN) && greet(way, &home, Want::Finish).await.is_ok() {
            asked = Some(Instant::now());
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        sleep(LOOK).await;
    }
}

/// What the keeper of the folder says of itself. `None`: there is none.
///
/// # Errors
/// The folder or its socket cannot be used, or the keeper does not answer.
pub async fn status(way: &Way) -> Result<Option<Status>, Error> {
    match greet(way, &way.home()?, Want::Status).await {
        Ok(link) => Ok(link.welcome.status),
        Err(Why::Nobody) => Ok(None),
        Err(Why::Silent) => Err(busy("The process that keeps this wallet does not answer.")),
        Err(Why::Refused(..)) => Err(busy("The process that keeps this wallet is of another version.")),
        Err(Why::Fault(error)) => Err(error),
    }
}

/// The tools of a keeper, called one at a time.
#[derive(Debug)]
pub struct Remote<'a> {
    /// Which keeper.
    pub way: &'a Way,
}

impl Remote<'_> {
    /// Calls a tool. `Err` is the error object of the tools.
    ///
    /// # Errors
    /// What the tool answers; `wallet_busy` and `settings_invalid` where no keeper can be had; `outcome_unknown` where the keeper was lost
    /// after the call was sent.
    pub async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, Value> {
        let to_value = |error: Error| serde_json::to_value(error).unwrap_or_default();
        let mut link = elect(self.way).await.map_err(to_value)?;
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "nutpurse-cli", "version": hello::VERSION},
        });
        let params = json!({"name": name, "arguments": arguments, "_meta": meta});
        let kind = Kind::of("tools/call", &params);
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let sent = async { link.writer.write_all(&hello::line(&request)?).await };
        if sent.await.is_err() {
            return Err(to_value(busy("The process that keeps this wallet has just ended.")));
        }
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = link.reader.read_until(b'\n', &mut line).await.unwrap_or(0);
            let message: Value = match serde_json::from_slice(&line) {
                Ok(message) => message,
                Err(_) if read > 0 => continue,
                Err(_) => lost(&kind),
            };
            if message.get("id") == Some(&json!(1)) {
                return outcome(&message);
            }
        }
    }
}

/// The answer that is not to come.
fn lost(kind: &Kind) -> Value {
    let answer = match kind {
        Kind::Writes(write) => lost::unknown(&json!(1), write, true),
        kind => lost::unanswered(&json!(1), kind, true),
    };
    serde_json::from_slice(&answer).unwrap_or_default()
}

fn outcome(message: &Value) -> Result<Value, Value> {
    if let Some(structured) = message.pointer("/result/structuredContent") {
        return Ok(structured.clone());
    }
    let text = message.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or_default();
    let error = serde_json::from_str(text).unwrap_or_else(|_| {
        let no_tool = Error::invalid("tool", "This agent has no tool of that name.");
        let broken = Error::new(Code::Internal, "The wallet's process gave no answer that can be read.");
        let error = if message.pointer("/error/code") == Some(&json!(-32602)) { no_tool } else { broken };
        serde_json::to_value(error).unwrap_or_default()
    });
    Err(error)
}
