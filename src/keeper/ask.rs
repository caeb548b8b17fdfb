//! What the command line wants of a keeper: one call of a tool, its state, its end.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::elect::{Link, MAKING_WAY, Way, Why, elect, greet};
use super::hello::{READ, Status, Want};
use super::lock::{Lock, LockError};
use super::lost::{Kind, busy};
use super::{elect, hello, lost};
use crate::wallet::{Code, Error};

/// No call takes longer.
const LONGEST: Duration = Duration::from_secs(48);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Between two requests to make way.
const AGAIN: Duration = Duration::from_secs(2);

/// Takes the folder's lock, and asks a keeper that holds it to finish first. `None`: somebody else
/// holds it and does not let go.
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
        if asked.is_none_or(|asked| asked.elapsed() >= AGAIN)
            && greet(way, &home, Want::Finish).await.is_ok()
        {
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
        Err(Why::Refused(..)) => {
            Err(busy("The process that keeps this wallet is of another version."))
        }
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
    /// What the tool answers; `wallet_busy` and `settings_invalid` where no keeper can be had;
    /// `outcome_unknown` where the keeper was lost after the call was sent.
    pub async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, Value> {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "nutpurse-cli", "version": hello::VERSION},
        });
        let params = json!({"name": name, "arguments": arguments, "_meta": meta});
        let kind = Kind::of("tools/call", &params);
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        loop {
            let link = elect(self.way, MAKING_WAY)
                .await
                .map_err(|error| serde_json::to_value(error).unwrap_or_default())?;
            match timeout(LONGEST, exchange(link, &request)).await {
                Ok(Exchange::Answered(answer)) => return outcome(&answer),
                Ok(Exchange::Unread) => {}
                Ok(Exchange::Lost) => return outcome(&lost(&kind)),
                Err(_) => return outcome(&parsed(&lost::unanswered(&json!(1), &kind, true))),
            }
        }
    }
}

/// What became of a request.
enum Exchange {
    Answered(Value),
    /// The keeper ended, and says that it has not read it.
    Unread,
    /// The keeper is gone, and may have read it.
    Lost,
}

async fn exchange(mut link: Link, request: &Value) -> Exchange {
    // A line that was not written whole is not read as one.
    let Ok(line) = hello::line(request) else { return Exchange::Lost };
    if link.writer.write_all(&line).await.is_err() {
        return Exchange::Unread;
    }
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = link.reader.read_until(b'\n', &mut line).await.unwrap_or(0);
        if line.starts_with(READ.as_bytes()) && line.trim_ascii_end().ends_with(b" 0") {
            return Exchange::Unread;
        }
        match serde_json::from_slice::<Value>(&line) {
            Ok(message) if message.get("id") == Some(&json!(1)) => {
                return Exchange::Answered(message);
            }
            _ if read > 0 => {}
            _ => return Exchange::Lost,
        }
    }
}

/// The answer that is not to come.
fn lost(kind: &Kind) -> Value {
    parsed(&match kind {
        Kind::Writes(write) => lost::unknown(&json!(1), write, true),
        kind => lost::unanswered(&json!(1), kind, true),
    })
}

fn parsed(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap_or_default()
}

fn outcome(message: &Value) -> Result<Value, Value> {
    if let Some(structured) = message.pointer("/result/structuredContent") {
        return Ok(structured.clone());
    }
    let text =
        message.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or_default();
    let error = serde_json::from_str(text).unwrap_or_else(|_| {
        let no_tool = Error::invalid("tool", "This agent has no tool of that name.");
        let broken =
            Error::new(Code::Internal, "The wallet's process gave no answer that can be read.");
        let error =
            if message.pointer("/error/code") == Some(&json!(-32602)) { no_tool } else { broken };
        serde_json::to_value(error).unwrap_or_default()
    });
    Err(error)
}
