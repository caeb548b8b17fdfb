//! The tools as data, and the one function that runs them. The MCP server and the command line both
//! go through here.
//!
//! Never sees the protocol, never writes to a stream, never logs arguments or results.

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

/// How long after its deadline a verb may still answer, before the call is answered without it.
const OVERDUE: Duration = Duration::from_millis(300);

/// What an agent does whose call came too early.
const AGAIN: &str = "Make the same call again in a minute.";

/// What a client may assume of a tool before it calls it. Always all four, never left to a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// Changes nothing.
    pub read_only: bool,
    /// What it does cannot be undone.
    pub destructive: bool,
    /// The same call again does nothing more.
    pub idempotent: bool,
    /// Reaches beyond this machine: mints, payees.
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

/// One tool: what an agent reads, and the verb behind it.
#[derive(Debug)]
pub struct Tool {
    /// Its name, stable.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What an agent reads before it calls: effect, cost, whether it can be undone, what else to
    /// use, what to do after a timeout.
    pub description: &'static str,
    /// All four hints.
    pub hints: Hints,
    /// JSON Schema of the parameters: one flat object, nothing combined, every parameter described.
    pub input_schema: Map<String, Value>,
    /// JSON Schema of the result, without prose.
    pub output_schema: Map<String, Value>,
    /// Older names of parameters, accepted and not shown: (older, current).
    aliases: &'static [(&'static str, &'static str)],
    run: Run,
}

type Run = for<'a> fn(Job<'a>) -> BoxFuture<'a, Result<Answer, Error>>;

/// One call: checked arguments, who asks and until when, and where the wallet comes from.
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

    /// The open wallet. The opening goes on where its caller's time is up.
    async fn wallet(&self) -> Result<Wallet, Error> {
        let opening = || {
            Error::new(Code::WalletBusy, "The wallet is still being opened; nothing was done.")
                .next(AGAIN)
        };
        let opened = self.deadline.wait(self.source.wallet()).await.ok_or_else(opening)?;
        let wallet = opened?.until(self.deadline);
        // Settings that cannot be used are said before anything else.
        wallet.reports().money().await?;
        Ok(wallet)
    }
}

/// What a tool answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The result; fits the tool's output schema.
    pub structured: Value,
    /// A QR code as a PNG. `None` unless asked for, and where the text is too long for one.
    pub png: Option<Vec<u8>>,
}

impl Answer {
    fn of(view: &impl Serialize) -> Self {
        Self { structured: view::to_json(view), png: None }
    }
}

/// Why a tool gave no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolFailure {
    /// There is no tool of that name, or this agent does not have it.
    UnknownTool,
    /// The wallet's own answer.
    Failed(Error),
}

/// Every tool, in the order in which they are listed. The order never changes within a version.
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

/// The tool of this name.
pub fn find(name: &str) -> Option<&'static Tool> {
    all().iter().find(|tool| tool.name == name)
}

/// The agent has this tool: its owner may have left it fewer.
pub fn has(source: &dyn Source, caller: &Caller, tool: &Tool) -> bool {
    source.tools_of(caller).is_none_or(|names| names.contains(tool.name))
}

/// Runs a tool. The wallet is opened only after the arguments were found good.
///
/// # Errors
/// [`ToolFailure::UnknownTool`], or what the verb answers. A panic below becomes `internal`; its
/// text is not shown. A verb that does not answer within 45 s is answered for: `outcome_unknown`
/// where value may have moved, else `wallet_busy`.
///
/// # Cancel safety
/// Dropping the future drops the answer only: the wallet runs whatever moves money to its end by
/// itself.
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

/// The answer for a verb that has not kept its deadline. What it has begun goes on.
fn overdue(tool: &Tool, key: Option<&str>) -> Error {
    tracing::error!(tool = tool.name, "a call was not answered in time");
    let unknown = |message: &str| Error::new(Code::OutcomeUnknown, message);
    match (tool.hints, key) {
        (Hints { destructive: true, .. }, key) => {
            let by = if key.is_some() { "get_payment with this idempotency_key" } else { "list_history" };
            unknown("The wallet did not answer in time; whether anything was paid is not known yet.")
                .next(format!("Look for it with {by} before anything else; never pay again for the same purpose."))
        }
        (Hints { read_only: true, .. }, _) => {
            Error::new(Code::WalletBusy, "The wallet did not answer in time; nothing was changed.").next(AGAIN)
        }
        (Hints { idempotent: true, .. }, _) => unknown("The wallet did not answer in time; what was begun goes on.")
            .next("Make the same call again in a minute: it does nothing twice."),
        _ => Error::new(Code::WalletBusy, "The wallet did not answer in time; an invoice that was made is not shown.")
            .next("Make the same call again with the same idempotency_key, or look at the newest deposit with get_deposit."),
    }
}

fn panicked() -> Error {
    tracing::error!("a tool ended by a panic; what it said is withheld");
    Error::new(
        Code::Internal,
        "The wallet made a mistake and cannot tell what became of this call.",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::api::MoneyMoved;

    /// A wallet whose opening never ends.
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
