//! The answer of a tool.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;

/// The answer of a tool, or the refusal of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The structured content; of a failure, its error object.
    pub value: Value,
    /// The tool failed.
    pub is_error: bool,
    /// The time from the call to the answer.
    pub took: Duration,
}

impl Answer {
    /// Reads a JSON-RPC message. A protocol error becomes a failure with the code `protocol`.
    ///
    /// # Errors
    /// When the message is neither a tool's answer nor an error.
    pub fn read(message: &Value, took: Duration) -> Outcome<Self> {
        if let Some(error) = message.get("error") {
            let value = json!({"error": "protocol", "message": error});
            return Ok(Self { value, is_error: true, took });
        }
        let result = message.get("result").unwrap_or(&Value::Null);
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let text = || result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or_default();
        let value = match result.get("structuredContent") {
            Some(structured) => structured.clone(),
            None => serde_json::from_str(text())
                .map_err(|_| format!("no answer of a tool: {message}"))?,
        };
        Ok(Self { value, is_error, took })
    }

    /// The value at a path such as `limits/left_24h_sats`; null where there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        self.value.pointer(&format!("/{path}")).unwrap_or(&Value::Null)
    }

    /// The number at a path; 0 where there is none.
    #[must_use]
    pub fn sats(&self, path: &str) -> u64 {
        self.at(path).as_u64().unwrap_or(0)
    }

    /// The text at a path; empty where there is none.
    #[must_use]
    pub fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// The list at a path; empty where there is none.
    #[must_use]
    pub fn list(&self, path: &str) -> &[Value] {
        self.at(path).as_array().map_or(&[], Vec::as_slice)
    }

    /// Returns whether the value at a path is `true`.
    #[must_use]
    pub fn is(&self, path: &str) -> bool {
        self.at(path) == true
    }

    /// The state, or the code of a failure.
    #[must_use]
    pub fn word(&self) -> &str {
        self.text(if self.is_error { "error" } else { "state" })
    }

    /// The code of a failure; empty where there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        if self.is_error { self.text("error") } else { "" }
    }

    /// Returns whether the call failed and no money moved.
    #[must_use]
    pub fn is_harmless_refusal(&self) -> bool {
        self.is_error && self.text("money_moved") == "no"
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
