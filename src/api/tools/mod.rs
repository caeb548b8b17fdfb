//! The tools as data, and the function that runs them for MCP server and command line alike.
//!
//! It never touches the protocol, never writes to a stream, and never logs arguments or results.

mod arguments;
mod deposit;
mod estimate;
mod get_balance;
mod get_deposit;
mod get_payment;
mod list_history;
mod list_mints;
mod pay;
mod progress;
mod qr;
mod receive_token;
mod reclaim_token;
mod schema;
mod send_token;
mod sync;
mod zap;

use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{Code, Error, Source, view};
use crate::wallet::{Caller, Deadline, Wallet};

pub use progress::{Progress, Silent};

/// How long after the deadline a tool may still answer. Then the call ends without its answer.
const OVERDUE: Duration = Duration::from_millis(300);

/// The next step of an agent that called too early.
const AGAIN: &str = "Make the same call again in a minute.";

/// The hints that a client reads before it calls a tool. All four are always set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// The tool changes nothing.
    pub read_only: bool,
    /// The effect cannot be undone.
    pub destructive: bool,
    /// A repeated call has no further effect.
    pub idempotent: bool,
    /// The tool contacts mints, relays or payees.
    pub open_world: bool,
}

impl Hints {
    const READS_LOCAL: Self =
        Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    const READS_OUTSIDE: Self = Self { open_world: true, ..Self::READS_LOCAL };
    const WRITES: Self =
        Self { read_only: false, destructive: false, idempotent: false, open_world: true };
    const WRITES_ONCE: Self = Self { idempotent: true, ..Self::WRITES };
    const SPENDS: Self =
        Self { read_only: false, destructive: true, idempotent: false, open_world: true };
}

/// One tool: its texts and schemas, and the function behind it.
#[derive(Debug)]
pub struct Tool {
    /// The stable name.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The text for agents: effect, cost, reversibility, alternatives, and advice after a timeout.
    pub description: &'static str,
    /// The four hints.
    pub hints: Hints,
    /// The JSON Schema of the parameters: one flat object, every parameter described.
    pub input_schema: Map<String, Value>,
    /// The JSON Schema of the result. Fields are described where the name is not enough.
    pub output_schema: Map<String, Value>,
    /// Older names of parameters, accepted and not shown, as pairs (older, current).
    aliases: &'static [(&'static str, &'static str)],
    run: Run,
}

type Run = for<'a> fn(Job<'a>) -> BoxFuture<'a, Result<Answer, Error>>;

/// One call: checked arguments, caller, deadline, and the source of the wallet.
struct Job<'a> {
    arguments: Map<String, Value>,
    caller: &'a Caller,
    source: &'a dyn Source,
    deadline: Deadline,
}

impl Job<'_> {
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        arguments::into_request(std::mem::take(&mut self.arguments))
    }

    /// Returns the open wallet. Opening continues after the caller's time is up.
    async fn wallet(&self) -> Result<Wallet, Error> {
        let opening = || {
            Error::new(Code::WalletBusy, "The wallet is still opening; nothing was done.")
                .next(AGAIN)
        };
        let opened = self.deadline.wait(self.source.wallet()).await.ok_or_else(opening)?;
        let wallet = opened?.until(self.deadline);
        // Unusable settings are reported before anything else.
        wallet.reports().money().await?;
        Ok(wallet)
    }
}

/// The answer of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The result, which matches the tool's output schema.
    pub structured: Value,
    /// A QR code as a PNG. `None` unless requested, or if the text is too long.
    pub png: Option<Vec<u8>>,
}

impl Answer {
    fn of(view: &impl Serialize) -> Self {
        Self { structured: view::to_json(view), png: None }
    }
}

/// Reason why a tool gave no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolFailure {
    /// No tool has that name, or this agent does not have it.
    UnknownTool,
    /// The wallet's error.
    Failed(Error),
}

/// Returns every tool in its listed order, which never changes within a version.
pub fn all() -> &'static [Tool] {
    static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| {
        vec![
            get_balance::tool(),
            deposit::tool(),
            get_deposit::tool(),
            estimate::tool(),
            pay::tool(),
            get_payment::tool(),
            send_token::tool(),
            receive_token::tool(),
            reclaim_token::tool(),
            list_history::tool(),
            list_mints::tool(),
            zap::tool(),
            sync::tool(),
        ]
    });
    &ALL
}

/// Finds the tool with this name.
pub fn find(name: &str) -> Option<&'static Tool> {
    all().iter().find(|tool| tool.name == name)
}

/// Returns whether the agent has this tool: the owner can limit an agent to some tools.
pub fn has(source: &dyn Source, caller: &Caller, tool: &Tool) -> bool {
    source.tools_of(caller).is_none_or(|names| names.contains(tool.name))
}

/// Runs a tool. The wallet opens only after the arguments are checked.
///
/// # Errors
/// [`ToolFailure::UnknownTool`], or the tool's own error. A panic becomes `internal`, without its
/// text. If the tool does not answer within 45 s, the error is `outcome_unknown` where money may
/// have moved, else `wallet_busy`.
///
/// # Cancel safety
/// Dropping the future drops only the answer: the wallet finishes everything that moves money.
pub async fn call(
    name: &str,
    arguments: Map<String, Value>,
    caller: &Caller,
    source: &dyn Source,
    progress: &dyn Progress,
) -> Result<Answer, ToolFailure> {
    let tool =
        find(name).filter(|tool| has(source, caller, tool)).ok_or(ToolFailure::UnknownTool)?;
    let key = arguments
        .get("idempotency_key")
        .and_then(Value::as_str)
        .filter(|key| arguments::is_key(key))
        .map(str::to_owned);
    let outcome = match arguments::check(tool, arguments) {
        Ok(arguments) => {
            let deadline = Deadline::of_a_call();
            let verb = AssertUnwindSafe((tool.run)(Job { arguments, caller, source, deadline }))
                .catch_unwind();
            match progress::while_running(progress, deadline.later(OVERDUE).wait(verb)).await {
                Some(answered) => answered.unwrap_or_else(|_payload| Err(panicked())),
                None => Err(overdue(tool, key.as_deref())),
            }
        }
        Err(error) => Err(error),
    };
    outcome.map_err(|mut error| {
        error.idempotency_key = error.idempotency_key.or(key);
        ToolFailure::Failed(error)
    })
}

/// Creates the error for a tool that missed its deadline. Whatever it began continues.
fn overdue(tool: &Tool, key: Option<&str>) -> Error {
    tracing::error!(tool = tool.name, "a tool missed its deadline");
    let unknown = |message: &str| Error::new(Code::OutcomeUnknown, message);
    match (tool.hints, key) {
        (Hints { destructive: true, .. }, key) => {
            let by = if key.is_some() { "get_payment with this idempotency_key" } else { "list_history" };
            unknown("The wallet did not answer in time; it is not known yet whether anything was paid.")
                .next(format!("Look for it with {by} first; do not pay again for the same thing."))
        }
        (Hints { read_only: true, .. }, _) => {
            Error::new(Code::WalletBusy, "The wallet did not answer in time; nothing was changed.").next(AGAIN)
        }
        (Hints { idempotent: true, .. }, _) => unknown("The wallet did not answer in time; the call continues in the background.")
            .next("Make the same call again in a minute; nothing is done twice."),
        _ => Error::new(Code::WalletBusy, "The wallet did not answer in time; an invoice may have been created.")
            .next("Make the same call again with the same idempotency_key, or check the newest deposit with get_deposit."),
    }
}

fn panicked() -> Error {
    tracing::error!("a tool panicked; its message is withheld");
    Error::new(Code::Internal, "A bug in this wallet ended the call; its outcome is unknown.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::api::MoneyMoved;

    /// A wallet that never finishes opening.
    #[derive(Debug)]
    struct Stuck;

    #[async_trait::async_trait]
    impl Source for Stuck {
        async fn wallet(&self) -> Result<Wallet, Error> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wallet_that_is_still_being_opened_is_told_as_that() {
        let (since, caller) = (Instant::now(), Caller { agent: "tester".to_owned() });
        let Value::Object(arguments) = json!({"amount_sats": 5, "idempotency_key": "k"}) else {
            panic!("an object")
        };
        let told = call("send_token", arguments, &caller, &Stuck, &Silent).await;
        let Err(ToolFailure::Failed(error)) = told else { panic!("{told:?}") };
        assert_eq!(
            (error.code, error.money_moved, error.idempotency_key.as_deref()),
            (Code::WalletBusy, MoneyMoved::No, Some("k"))
        );
        assert_eq!(since.elapsed(), Duration::from_secs(45));
    }

    #[test]
    fn a_verb_that_does_not_answer_is_answered_for_by_what_it_may_have_done() {
        for tool in all() {
            let error = overdue(tool, Some("k"));
            let moves = ["pay", "send_token", "zap", "receive_token", "reclaim_token", "sync"]
                .contains(&tool.name);
            let expected = if moves {
                (Code::OutcomeUnknown, MoneyMoved::Unknown)
            } else {
                (Code::WalletBusy, MoneyMoved::No)
            };
            assert_eq!((error.code, error.money_moved), expected, "{}", tool.name);
        }
    }
}
