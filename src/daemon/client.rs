//! The command line's requests to the daemon: a tool call, its status, its end.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::connect::{
    ConnectError, ConnectOptions, DaemonSession, HANDOVER, connect, try_connect, unusable,
};
use super::handshake::{self, LINES_READ, Status, Want};
use super::lock::Lock;
use super::lost_reply::{self, RequestKind, busy};
use crate::api::{Code, Error};

/// Time limit for a call; no call takes longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(48);
/// Pause between two attempts to take the lock.
const RETRY: Duration = Duration::from_millis(20);
/// Pause between two requests to finish.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Takes the folder's lock, after asking a daemon that holds it to finish. `None`: another process
/// holds it and does not release it.
///
/// # Errors
/// The folder cannot be used or locked.
pub async fn finish(options: &ConnectOptions) -> Result<Option<Lock>, Error> {
    let home = options.resolve_home()?;
    let until = Instant::now() + HANDOVER;
    let (mut next_lock, mut asked) = (None, None::<Instant>);
    loop {
        if next_lock.is_none() {
            next_lock = Lock::take_next(&home).map_err(|error| unusable(&error))?;
        }
        if let Some(lock) = Lock::take(&home).map_err(|error| unusable(&error))? {
            return Ok(Some(lock));
        }
        // A holder without a socket is not a daemon, or one that is starting or ending.
        if asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN)
            && try_connect(options, &home, Want::Finish).await.is_ok()
        {
            asked = Some(Instant::now());
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        sleep(RETRY).await;
    }
}

/// The status of the folder's daemon. `None`: there is no daemon.
///
/// # Errors
/// The folder or its socket cannot be used, or the daemon does not answer.
pub async fn status(options: &ConnectOptions) -> Result<Option<Status>, Error> {
    match try_connect(options, &options.resolve_home()?, Want::Status).await {
        Ok(session) => Ok(session.welcome.status),
        Err(ConnectError::NotRunning) => Ok(None),
        Err(ConnectError::NoAnswer) => Err(busy("The wallet's process does not answer.")),
        Err(ConnectError::Refused(..)) => {
            Err(busy("The wallet's process is another version of this program."))
        }
        Err(ConnectError::Unusable(error)) => Err(error),
    }
}

/// Calls the daemon's tools, one at a time.
#[derive(Debug)]
pub struct Client<'a> {
    /// The daemon to call.
    pub options: &'a ConnectOptions,
}

impl Client<'_> {
    /// Calls a tool. `Err` is the error object of the tools.
    ///
    /// # Errors
    /// The tool's own error; `wallet_busy` and `settings_invalid` if no daemon can be reached;
    /// `outcome_unknown` if the daemon was lost after the call was sent.
    pub async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, Value> {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "nutpurse-cli", "version": handshake::VERSION},
        });
        let params = json!({"name": name, "arguments": arguments, "_meta": meta});
        let kind = RequestKind::of("tools/call", &params);
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        loop {
            let session = connect(self.options, HANDOVER)
                .await
                .map_err(|error| serde_json::to_value(error).unwrap_or_default())?;
            match timeout(CALL_TIMEOUT, exchange(session, &request)).await {
                Ok(Exchange::Answered(answer)) => return outcome(&answer),
                Ok(Exchange::Unread) => {}
                Ok(Exchange::Lost) => return outcome(&lost_answer(&kind)),
                Err(_) => return outcome(&parsed(&lost_reply::unanswered(&json!(1), &kind, true))),
            }
        }
    }
}

enum Exchange {
    Answered(Value),
    /// The daemon ended, and says that it has not read the request.
    Unread,
    /// The daemon is gone, and may have read the request.
    Lost,
}

async fn exchange(mut session: DaemonSession, request: &Value) -> Exchange {
    let Ok(line) = handshake::line(request) else { return Exchange::Lost };
    // The daemon ignores a line that was not written whole.
    if session.writer.write_all(&line).await.is_err() {
        return Exchange::Unread;
    }
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = session.reader.read_until(b'\n', &mut line).await.unwrap_or(0);
        if line.starts_with(LINES_READ.as_bytes()) && line.trim_ascii_end().ends_with(b" 0") {
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

/// The answer to a request whose own answer is lost.
fn lost_answer(kind: &RequestKind) -> Value {
    parsed(&match kind {
        RequestKind::Writes(write) => lost_reply::unknown(&json!(1), write, true),
        kind => lost_reply::unanswered(&json!(1), kind, true),
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
        let no_tool = Error::invalid("tool", "This agent has no tool with that name.");
        let broken = Error::new(Code::Internal, "The wallet's process gave an unreadable answer.");
        let error =
            if message.pointer("/error/code") == Some(&json!(-32602)) { no_tool } else { broken };
        serde_json::to_value(error).unwrap_or_default()
    });
    Err(error)
}
