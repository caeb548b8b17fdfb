//! A record over all sessions of a run: lines on standard output, times of calls, random kills.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// The record; all sessions of a run share it.
#[derive(Debug, Default)]
pub struct Watch {
    lines: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    kills: AtomicUsize,
    losses: AtomicUsize,
    slowest_ms: AtomicU64,
}

impl Watch {
    /// A line on a wallet's standard output. `None`: it is no JSON-RPC message, which is
    /// remembered.
    pub fn line(&self, line: &[u8]) -> Option<Value> {
        self.lines.fetch_add(1, Ordering::Relaxed);
        let message = serde_json::from_slice::<Value>(line).ok().filter(is_message);
        if message.is_none() {
            self.wrong
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(String::from_utf8_lossy(line).chars().take(100).collect());
        }
        message
    }

    /// The lines so far, and those that were no messages.
    pub fn lines(&self) -> (usize, Vec<String>) {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.lines.load(Ordering::Relaxed), wrong)
    }

    /// A tool's call took so long.
    pub fn took(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.slowest_ms.fetch_max(ms, Ordering::Relaxed);
    }

    /// The slowest call so far.
    pub fn slowest(&self) -> Duration {
        Duration::from_millis(self.slowest_ms.load(Ordering::Relaxed))
    }

    /// A kill at a random moment, and whether all was there afterwards.
    pub fn killed(&self, all_there: bool) {
        self.kills.fetch_add(1, Ordering::Relaxed);
        self.losses.fetch_add(usize::from(!all_there), Ordering::Relaxed);
    }

    /// Random kills, and those after which something was missing.
    pub fn kills(&self) -> (usize, usize) {
        (self.kills.load(Ordering::Relaxed), self.losses.load(Ordering::Relaxed))
    }
}

/// A message as MCP's schema (2025-11-25, 2026-07-28) has it: an id is a text or a number and never
/// null; a request and a result have one; an error about a line without a readable id has none.
///
/// JSON-RPC 2.0 asks for `"id": null` there. MCP's schema does not allow it, and both lines of the
/// TypeScript SDK refuse such a line.
fn is_message(message: &Value) -> bool {
    let has = |key: &str| message.get(key).is_some();
    let has_id = message.get("id").is_some_and(|id| id.is_string() || id.is_number());
    let good_id = has_id || !has("id");
    let is_call =
        message.get("method").is_some_and(Value::is_string) && !has("result") && !has("error");
    let is_result = message.get("result").is_some_and(Value::is_object) && has_id && !has("error");
    let error = message.get("error");
    let is_error = !has("result")
        && error.is_some_and(|error| error["code"].is_i64() && error["message"].is_string());
    message.get("jsonrpc").and_then(Value::as_str) == Some("2.0")
        && good_id
        && (is_call || is_result || is_error)
}
