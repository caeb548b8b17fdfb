//! An agent with a wallet in this process, which it calls through the tool layer as a session does.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use nutpurse::testing::api::tools::{self, Silent, ToolFailure};
use nutpurse::testing::api::{Error, Source};
use nutpurse::testing::app::App;
use nutpurse::testing::config::Environment;
use nutpurse::testing::store::Failpoint;
use nutpurse::testing::wallet::{Caller, Wallet, core::clock};
use serde::Serialize;
use serde_json::{Value, json};
use testbed::harness::{Answer, Client, Outcome};
use tokio::task::JoinHandle;

use super::Home;

/// The failure of a tool.
pub(crate) type Failure = Error;

/// An agent with a wallet.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    home: Arc<Home>,
    app: Arc<App>,
    name: String,
}

impl Agent {
    /// Opens a new wallet that trusts these mints as test mints.
    pub(crate) fn new(mints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::open(Home::at(mints).unwrap())
    }

    /// Opens the wallet of a home.
    pub(crate) fn open(home: Home) -> Self {
        Self::reopen(Arc::new(home))
    }

    pub(crate) fn reopen(home: Arc<Home>) -> Self {
        Self::at(home, clock::now)
    }

    /// Opens the wallet of a home two minutes from now, when what waits for its time may go on.
    pub(crate) fn two_minutes_later(home: Arc<Home>) -> Self {
        Self::at(home, || clock::now() + 120)
    }

    /// Opens the wallet of a home more than a day from now.
    pub(crate) fn a_day_later(home: Arc<Home>) -> Self {
        Self::at(home, || clock::now() + 87_000)
    }

    /// Opens the wallet of a home by another clock.
    pub(crate) fn at(home: Arc<Home>, clock: fn() -> u64) -> Self {
        Self::with(home, clock, None)
    }

    /// Opens the wallet of a home with a failpoint in its store.
    pub(crate) fn with_failpoint(
        home: Arc<Home>,
        clock: fn() -> u64,
        failpoint: &Failpoint,
    ) -> Self {
        Self::with(home, clock, Some(failpoint.clone()))
    }

    /// Opens the wallet of a home with a Nostr key in the environment.
    pub(crate) fn with_nsec(home: Home, nsec: &str) -> Self {
        Self::in_environment(Arc::new(home), clock::now, None, Some(nsec))
    }

    fn with(home: Arc<Home>, clock: fn() -> u64, failpoint: Option<Failpoint>) -> Self {
        Self::in_environment(home, clock, failpoint, None)
    }

    fn in_environment(
        home: Arc<Home>,
        clock: fn() -> u64,
        failpoint: Option<Failpoint>,
        nsec: Option<&str>,
    ) -> Self {
        let nsec = nsec.map(nutpurse::testing::model::secret::Secret::new);
        let environment = Environment { keyring_off: true, nsec, ..Environment::default() };
        let app =
            App::with_failpoint(environment, Some(home.path().to_path_buf()), clock, failpoint);
        Self { home, app, name: "tester".to_owned() }
    }

    /// Another agent of the same wallet.
    pub(crate) fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    pub(crate) fn home(&self) -> Arc<Home> {
        Arc::clone(&self.home)
    }

    /// The wallet as a session's server asks for it.
    pub(crate) fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.app) as Arc<dyn Source>
    }

    pub(crate) async fn wallet(&self) -> Wallet {
        self.app.wallet().await.unwrap()
    }

    /// Stops the wallet in order.
    pub(crate) async fn close(self) -> Arc<Home> {
        self.app.stop().await;
        self.home
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let caller = Caller { agent: self.name.clone() };
        match tools::call(tool, arguments, &caller, self.app.as_ref(), &Silent).await {
            Ok(answer) => Ok(answer.structured),
            Err(ToolFailure::Failed(error)) => Err(error),
            Err(ToolFailure::UnknownTool) => panic!("no tool {tool}"),
        }
    }

    /// Calls a tool on a task of its own: the caller that does not wait for it.
    pub(crate) fn start(
        &self,
        tool: &'static str,
        arguments: Value,
    ) -> JoinHandle<Result<Value, Failure>> {
        let agent = self.clone();
        tokio::spawn(async move { agent.call(tool, arguments).await })
    }

    /// Asks for a payment until it is final.
    pub(crate) async fn ended(&self, payment: &Value) -> Value {
        self.ends(json!({"payment_id": payment})).await.unwrap().value
    }

    /// Asks for a payment and waits up to so many seconds for its end.
    pub(crate) async fn payment_within(&self, payment: impl Serialize, seconds: u64) -> Value {
        self.ok("get_payment", json!({"payment_id": payment, "wait_seconds": seconds})).await
    }

    /// Asks for a payment, a token or a receipt.
    pub(crate) async fn payment(&self, payment: impl Serialize) -> Value {
        self.ok("get_payment", json!({"payment_id": payment})).await
    }

    /// Asks for a deposit and waits up to so many seconds until it is received.
    pub(crate) async fn deposit_within(&self, deposit: impl Serialize, seconds: u64) -> Value {
        self.ok("get_deposit", json!({"deposit_id": deposit, "wait_seconds": seconds})).await
    }

    /// Calls a tool that must succeed.
    pub(crate) async fn ok(&self, tool: &str, arguments: Value) -> Value {
        let shown = arguments.to_string();
        self.call(tool, arguments)
            .await
            .unwrap_or_else(|error| panic!("{tool} {shown}: {error} {:?}", error.details))
    }

    /// Calls a tool that must fail with this code.
    pub(crate) async fn refused(&self, tool: &str, arguments: Value, code: &str) -> Failure {
        match self.call(tool, arguments).await {
            Ok(answer) => panic!("{tool} was to be refused with {code}, and answered {answer}"),
            Err(error) => {
                assert_eq!(error.code.as_str(), code, "{error}");
                error
            }
        }
    }
}

#[async_trait]
impl Client for Agent {
    async fn call(&self, tool: &str, arguments: Value) -> Outcome<Option<Answer>> {
        let since = Instant::now();
        let (value, is_error) = match Self::call(self, tool, arguments).await {
            Ok(value) => (value, false),
            Err(error) => (serde_json::to_value(error)?, true),
        };
        Ok(Some(Answer { value, is_error, took: since.elapsed() }))
    }
}
