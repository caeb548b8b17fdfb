//! What a verb answers when it cannot do it: a code, whether money moved, what to do next.
//!
//! `message` and `next_step` are our own fixed texts with numbers in them. A stranger's words go
//! into `details` under a name that begins with `untrusted_`, cleaned, and nowhere else. Never
//! holds a secret.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::code::Code;
use crate::model::id::PaymentId;

/// Whether money has left because of the failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyMoved {
    /// Nothing moved and nothing may move.
    No,
    /// It left.
    Yes,
    /// It may have.
    Unknown,
}

/// When the same call can be expected to do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Not by calling again.
    Never,
    /// The same call, later.
    SameRequest,
    /// After something named in `next_step` has changed.
    AfterChange,
}

/// A failure that an agent can act on. Serializes to the error object of the tools.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Error {
    /// The code, stable.
    #[serde(rename = "error", serialize_with = "as_word")]
    pub code: Code,
    /// What happened, for the agent: a fixed text with numbers.
    pub message: String,
    /// Whether money moved.
    pub money_moved: MoneyMoved,
    /// Whether to try again.
    pub retry: Retry,
    /// Seconds until the same request can succeed. `None` when waiting does not help or the time is
    /// unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The payment at hand. `None` when none was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// The key the caller gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Facts for programs.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// One imperative sentence: a tool to call, or what to tell the person.
    pub next_step: String,
}

fn as_word<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl Error {
    /// A failure of this code, with the code's own money and retry answers and its usual next step.
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

    /// A parameter that cannot be read.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message).with("field", field)
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a stranger's words, cleaned, as `untrusted_<name>`.
    #[must_use]
    pub fn with_untrusted(self, name: &str, words: &str) -> Self {
        let words = crate::model::text::clean(words);
        if words.is_empty() { self } else { self.with(&format!("untrusted_{name}"), words) }
    }

    /// Replaces the usual next step.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = step.into();
        self
    }

    /// Replaces the code's usual word on trying again.
    #[must_use]
    pub fn retrying(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Names the payment at hand.
    #[must_use]
    pub fn of(mut self, payment: &PaymentId) -> Self {
        self.payment_id = Some(payment.clone());
        self
    }

    /// Echoes the caller's key.
    #[must_use]
    pub fn keyed(mut self, key: Option<&str>) -> Self {
        self.idempotency_key = key.map(str::to_owned);
        self
    }

    /// Our own words on why, where `details` has some: for a person.
    pub fn reason(&self) -> Option<&str> {
        self.details.get("reason").and_then(Value::as_str)
    }

    /// Says when the same request can succeed.
    #[must_use]
    pub fn after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after_seconds = seconds;
        if seconds.is_some() {
            self.retry = Retry::SameRequest;
        }
        self
    }
}

/// A wallet's file that cannot be used as it is, and the command by which a person gets out of it.
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
