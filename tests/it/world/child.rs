//! The real binary as a child process, spoken to as any client would, and killed as the kernel
//! would.

use std::sync::Arc;

use rmcp::model::CallToolRequestParams;
use rmcp::service::RunningService;
use rmcp::transport::TokioChildProcess;
use rmcp::{RoleClient, ServiceExt};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Command;

use super::Home;

/// An agent whose wallet runs in a process of its own.
#[derive(Debug)]
pub(crate) struct ChildAgent {
    client: RunningService<RoleClient, ()>,
    process: Pid,
}

impl ChildAgent {
    /// Starts the binary as a client would and shakes hands.
    pub(crate) async fn start(home: &Arc<Home>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nutpurse"));
        // The wallet is in the process that is killed.
        command.arg("--in-process");
        command
            .env_clear()
            .env("NUTPURSE_HOME", home.path())
            .env("NUTPURSE_AGENT", "tester")
            .env("NUTPURSE_KEYRING", "off");
        let transport = TokioChildProcess::new(command).unwrap();
        let process = Pid::from_raw(i32::try_from(transport.id().unwrap()).unwrap()).unwrap();
        let client = ().serve(transport).await.unwrap();
        Self { client, process }
    }

    /// Kills it, wherever it stands.
    pub(crate) fn killer(&self) -> impl Fn() + Send + Sync + 'static {
        let process = self.process;
        move || {
            kill_process(process, Signal::KILL)
                .unwrap_or_else(|error| println!("not killed: {error}"))
        }
    }

    /// Calls a tool. `None`: it died before it answered.
    pub(crate) async fn call(&self, tool: &'static str, arguments: Value) -> Option<Value> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let answer = self
            .client
            .call_tool(CallToolRequestParams::new(tool).with_arguments(arguments))
            .await
            .ok()?;
        serde_json::to_value(answer).ok()
    }

    /// Waits until it is gone.
    pub(crate) async fn gone(self) {
        self.client.waiting().await.unwrap();
    }
}
