//! A wallet in a process of its own, and a client's session with it over its standard streams.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rmcp::model::CallToolRequestParams;
use rmcp::service::RunningService;
use rmcp::transport::TokioChildProcess;
use rmcp::{RoleClient, ServiceExt};
use serde_json::Value;
use tokio::process::Command;

use crate::Outcome;
use crate::home::Home;

/// A running wallet.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: &'static str,
    program: PathBuf,
    home: Home,
    client: RunningService<RoleClient, ()>,
}

/// What a tool answered, and how long it took as its caller saw it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) value: Value,
    pub(crate) is_error: bool,
    pub(crate) took: Duration,
}

impl Session {
    /// Starts the wallet of this folder as a client does.
    pub(crate) async fn start(name: &'static str, program: &Path, home: Home) -> Outcome<Self> {
        let client = ().serve(TokioChildProcess::new(command(program, home.path(), name))?).await?;
        Ok(Self { name, program: program.to_path_buf(), home, client })
    }

    /// Calls a tool, whatever it answers.
    pub(crate) async fn call(&self, tool: &'static str, arguments: Value) -> Outcome<Answer> {
        let Value::Object(arguments) = arguments else {
            return Err("arguments are an object".into());
        };
        let since = Instant::now();
        let result = self
            .client
            .call_tool(CallToolRequestParams::new(Cow::Borrowed(tool)).with_arguments(arguments))
            .await?;
        let took = since.elapsed();
        let result = serde_json::to_value(result)?;
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let value = match result.get("structuredContent") {
            Some(structured) => structured.clone(),
            None => serde_json::from_str(
                result
                    .pointer("/content/0/text")
                    .and_then(Value::as_str)
                    .ok_or("an answer without text")?,
            )?,
        };
        Ok(Answer { value, is_error, took })
    }

    /// Calls a tool that must do it.
    pub(crate) async fn ok(&self, tool: &'static str, arguments: Value) -> Outcome<Answer> {
        let answer = self.call(tool, arguments).await?;
        if answer.is_error { Err(format!("{tool}: {}", answer.value).into()) } else { Ok(answer) }
    }

    /// Calls a tool that must refuse with this code.
    pub(crate) async fn refused(
        &self,
        tool: &'static str,
        arguments: Value,
        code: &str,
    ) -> Outcome<Answer> {
        let answer = self.call(tool, arguments).await?;
        let as_wanted =
            answer.is_error && answer.text("error") == code && answer.text("money_moved") == "no";
        if as_wanted {
            Ok(answer)
        } else {
            Err(format!("{tool} was to be refused with {code}, and answered {}", answer.value)
                .into())
        }
    }

    /// Gives the same wallet a command of its owner, from another process that has no terminal.
    /// Whether it was done.
    pub(crate) async fn owner(&self, verb: &str) -> Outcome<(bool, Duration)> {
        let since = Instant::now();
        let mut command = command(&self.program, self.home.path(), "owner");
        let done = command.arg(verb).stdin(std::process::Stdio::null()).output().await?;
        Ok((done.status.success(), since.elapsed()))
    }

    /// Closes the wallet's input, upon which it ends.
    pub(crate) async fn end(self) -> Outcome {
        self.client.cancel().await?;
        Ok(())
    }
}

fn command(program: &Path, home: &Path, agent: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("--home").arg(home).args(["--agent", agent]);
    // The keys of a sandbox have no business in anybody's keyring.
    command.env("NUTPURSE_KEYRING", "off").kill_on_drop(true);
    command
}

impl Answer {
    /// A number in it; 0 where it is left out.
    pub(crate) fn sats(&self, field: &str) -> u64 {
        self.value.pointer(&pointer(field)).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A text in it; empty where it is left out.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.value.pointer(&pointer(field)).and_then(Value::as_str).unwrap_or_default()
    }

    /// A yes in it.
    pub(crate) fn is(&self, field: &str) -> bool {
        self.value.pointer(&pointer(field)).and_then(Value::as_bool).unwrap_or(false)
    }
}

fn pointer(field: &str) -> String {
    format!("/{}", field.replace('.', "/"))
}
