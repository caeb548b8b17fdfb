//! Errors for agents: a code, a message, whether money moved, and the next step.
//!
//! `message` and `next_step` are fixed texts with numbers in them. Text from strangers goes only
//! into `details`, cleaned, under `untrusted_*` names. An error never contains a secret.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::code::Code;
use crate::model::id::PaymentId;

/// The effect of a failed call on money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyMoved {
    /// Nothing moved and nothing may move.
    No,
    /// Money may have moved.
    Unknown,
}

/// The condition under which a call can succeed when it is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// No condition: calling again never helps.
    Never,
    /// No condition: the same call can succeed later.
    SameRequest,
    /// Something named in `next_step` must change first.
    AfterChange,
}

/// An error that an agent can act on. Serializes to the error object of the tools.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Error {
    /// The stable code.
    #[serde(rename = "error", serialize_with = "as_word")]
    pub code: Code,
    /// The message: a fixed text with numbers.
    pub message: String,
    /// The effect on money.
    pub money_moved: MoneyMoved,
    /// The condition for a retry.
    pub retry: Retry,
    /// Seconds until the same request can succeed. `None` if unknown or waiting does not help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The payment concerned. `None` if none was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// The caller's idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Facts for programs.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// The next step, as a command: a tool to call, or something to tell the user.
    pub next_step: String,
}

fn as_word<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl Error {
    /// Creates an error with the code's own money, retry and next step.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            money_moved: code.money_moved(),
            retry: code.retry(),
            retry_after_seconds: None,
            payment_id: None,
            idempotency_key: None,
            details: Map::new(),
            next_step: code.next_step().to_owned(),
        }
    }

    /// Creates an `invalid_input` error for a parameter.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message).with("field", field)
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds text from a stranger, cleaned, as `untrusted_<name>`. Adds nothing if it is empty.
    #[must_use]
    pub fn with_untrusted(self, name: &str, words: &str) -> Self {
        let words = crate::model::text::clean(words);
        if words.is_empty() { self } else { self.with(&format!("untrusted_{name}"), words) }
    }

    /// Replaces the next step.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = step.into();
        self
    }

    /// Replaces the condition for a retry.
    #[must_use]
    pub fn retrying(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the payment concerned.
    #[must_use]
    pub fn of(mut self, payment: &PaymentId) -> Self {
        self.payment_id = Some(payment.clone());
        self
    }

    /// Sets the caller's idempotency key.
    #[must_use]
    pub fn keyed(mut self, key: Option<&str>) -> Self {
        self.idempotency_key = key.map(str::to_owned);
        self
    }

    /// The `reason` in `details`, for a person. `None` if there is none.
    pub fn reason(&self) -> Option<&str> {
        self.details.get("reason").and_then(Value::as_str)
    }

    /// Sets the seconds after which the same request can succeed.
    #[must_use]
    pub fn after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after_seconds = seconds;
        if seconds.is_some() {
            self.retry = Retry::SameRequest;
        }
        self
    }
}

/// Creates the error for a damaged wallet file, with the command that restores it.
pub fn damaged(reason: &str) -> Error {
    Error::new(
        Code::WalletDamaged,
        "The wallet's file cannot be used as it is. A person can restore it.",
    )
    .with("reason", reason)
    .with("a_person_runs", "nutpurse restore")
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
