//! The shipped binary as a process of its own, with the harness's session as its client.

use std::ops::Deref;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::Value;
use testbed::harness::{Answer, Client, Session, program};
use tokio::process::Command;
use tokio::sync::oneshot::Receiver;

use super::Home;

/// A process of the wallet with a client. What the harness returns as an error is a panic here.
#[derive(Debug)]
pub(crate) struct Child(Session);

/// The binary as a client starts it: a shim in front of the daemon.
pub(crate) fn shim(home: &Home, agent: &str) -> Command {
    let mut command = program(Path::new(env!("CARGO_BIN_EXE_nutpurse")), home.path());
    command.env("NUTPURSE_LOG", "debug").env("NUTPURSE_AGENT", agent);
    command.into()
}

impl Child {
    pub(crate) fn spawn(command: impl Into<Command>) -> Self {
        Self(Session::spawn(command, Stdio::inherit(), &Arc::default()).unwrap())
    }

    /// Starts a command and initializes the session.
    pub(crate) async fn started(command: impl Into<Command>) -> Self {
        let child = Self::spawn(command);
        child.shake_hands().await.unwrap();
        child
    }

    /// Starts a shim for this agent.
    pub(crate) async fn start(home: &Home, agent: &str) -> Self {
        Self::started(shim(home, agent)).await
    }

    /// Starts a process that holds the wallet itself.
    pub(crate) async fn alone(home: &Home) -> Self {
        let mut command = shim(home, "tester");
        command.arg("--in-process").env_remove("NUTPURSE_LOG");
        Self::started(command).await
    }

    /// Calls a tool. `None`: the process ended before it answered.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Option<Value> {
        self.0.call(tool, arguments).await.unwrap().map(|answer| answer.value)
    }

    /// Calls a tool that must answer.
    pub(crate) async fn answer(&self, tool: &str, arguments: Value) -> Value {
        self.0.told(tool, arguments).await.unwrap().value
    }

    /// Calls a tool that must succeed.
    pub(crate) async fn ok(&self, tool: &str, arguments: Value) -> Value {
        self.0.ok(tool, arguments).await.unwrap().value
    }

    /// Calls a tool and leaves its answer to [`Self::told`].
    pub(crate) async fn begin_call(&self, tool: &str, arguments: Value) -> Receiver<Value> {
        self.0.begin_call(tool, arguments).await.unwrap().1
    }

    /// The answer of a tool that was called before.
    pub(crate) async fn told(&self, answer: Receiver<Value>) -> Value {
        Answer::read(&answer.await.unwrap(), std::time::Duration::ZERO).unwrap().value
    }

    /// Sends a request of any method and waits for its answer.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        self.request(method, params).await.unwrap().unwrap()
    }

    /// Asks for the payment that the arguments name until it is final.
    pub(crate) async fn ended(&self, which: Value) -> Value {
        self.0.ends(which).await.unwrap().value
    }

    /// Puts sats in by a deposit that pays itself.
    pub(crate) async fn fund(&self, sats: u64) {
        self.0.fund(sats).await.unwrap();
    }

    /// Waits for its end and gives its exit code.
    pub(crate) async fn gone(&self) -> Option<i32> {
        self.0.gone().await.unwrap().code()
    }

    /// Closes its input and gives its exit code.
    pub(crate) async fn hang_up(&self) -> Option<i32> {
        self.0.hang_up().await;
        self.gone().await
    }
}

impl Deref for Child {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}
