//! The command line: every tool as a subcommand, and the commands that only a person may run.
//!
//! It turns a command line into a tool call and renders the result; the tool layer does the rest,
//! as for any agent. It writes only to the streams it is given. No flag takes a secret.

mod args;
pub mod confirm;
pub mod owner;
mod render;
mod run;

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::wallet::Caller;

pub use args::command;
pub use run::{Here, Streams, Tools, run_tool};

/// The exit code of a command that succeeded.
pub const OK: u8 = 0;

/// The exit code of a command that failed.
pub const FAILURE: u8 = 1;

/// The exit code for an unreadable command line or an invalid parameter.
pub const USAGE: u8 = 2;

/// The flags of every command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// The wallet's folder, from `--home` or `NUTPURSE_HOME`. `None`: the platform's.
    pub home: Option<PathBuf>,
    /// The agent's name, from `--agent` or, for sessions, `NUTPURSE_AGENT`; a label, not a
    /// credential. `None`: the command's default.
    pub agent: Option<String>,
    /// The log level, from `--log` or `NUTPURSE_LOG`. `None`: the default.
    pub log: Option<String>,
    /// `true`: results are printed as JSON.
    pub json: bool,
    /// `true` with `--in-process`: the wallet runs in this process.
    pub in_process: bool,
}

/// A tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The tool's name.
    pub name: &'static str,
    /// The arguments. [`run_tool`] replaces a `-` by the text on standard input.
    pub arguments: Map<String, Value>,
}

/// A command. `O` is the enum of the owner's commands.
#[derive(Clone, Debug, PartialEq)]
pub enum Command<O> {
    /// No command: an MCP session on the standard streams, or the help text in a terminal.
    Serve,
    /// The daemon, which serves the wallet to all other processes.
    Daemon {
        /// `true`: the process has already left the session of its starter.
        detached: bool,
    },
    /// A tool call.
    Tool(ToolCall),
    /// A command that only a person may run.
    Owner(O),
}

/// A parsed command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation<O> {
    /// The flags of every command.
    pub globals: Globals,
    /// The command.
    pub command: Command<O>,
}

impl<O> Invocation<O> {
    /// The calling agent: the one that was named, else `cli` for commands and `default` for
    /// sessions.
    pub fn caller(&self) -> Caller {
        let usual = if matches!(self.command, Command::Serve) { "default" } else { "cli" };
        Caller { agent: self.globals.agent.clone().unwrap_or_else(|| usual.to_owned()) }
    }
}

/// A text to show instead of running a command. Help goes to standard output, an error to standard
/// error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The text, with its line ends.
    pub text: String,
    /// [`OK`] for help and version, [`USAGE`] otherwise.
    pub code: u8,
}

/// Reads a command line; `O` is the enum of the owner's commands.
///
/// # Errors
/// [`Stop`]: help or version was requested, or the line cannot be read.
pub fn parse<O: clap::Subcommand>(
    line: impl IntoIterator<Item = OsString>,
) -> Result<Invocation<O>, Stop> {
    let matches = command::<O>().try_get_matches_from(line).map_err(|error| Stop {
        text: error.render().to_string(),
        code: if error.use_stderr() { USAGE } else { OK },
    })?;
    args::read(&matches)
}

/// Renders the help text, which is shown instead of a session in a terminal.
pub fn help<O: clap::Subcommand>() -> String {
    command::<O>().render_help().to_string()
}

#[cfg(test)]
mod tests {
    use std::io;

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::api::{Code, Error, Source};
    use crate::wallet::Wallet;

    #[derive(Debug, clap::Subcommand)]
    enum OwnerCommand {
        /// Stops all spending.
        Pause,
    }

    #[derive(Debug)]
    struct Busy;

    #[async_trait]
    impl Source for Busy {
        async fn wallet(&self) -> Result<Wallet, Error> {
            Err(Error::new(Code::WalletBusy, "Held."))
        }
    }

    fn read(line: &[&str]) -> Result<Invocation<OwnerCommand>, Stop> {
        parse(std::iter::once("nutpurse").chain(line.iter().copied()).map(OsString::from))
    }

    fn tool(line: &[&str]) -> Option<(&'static str, Value)> {
        match read(line).ok()?.command {
            Command::Tool(call) => Some((call.name, Value::Object(call.arguments))),
            _ => None,
        }
    }

    #[test]
    fn the_grammar_holds_together() {
        command::<OwnerCommand>().debug_assert();
        assert!(
            help::<OwnerCommand>().contains("get-balance")
                && help::<OwnerCommand>().contains("pause")
        );
    }

    #[test]
    fn a_tool_is_a_command_with_the_same_parameters() {
        assert_eq!(tool(&["get-balance"]), Some(("get_balance", json!({}))));
        assert_eq!(
            tool(&["pay", "lnbc1", "--amount-sats", "5"]),
            Some(("pay", json!({"to": "lnbc1", "amount_sats": 5})))
        );
        assert_eq!(tool(&["pay", "--to", "lnbc1"]), Some(("pay", json!({"to": "lnbc1"}))));
        assert_eq!(
            tool(&["deposit", "100", "--qr"]),
            Some(("deposit", json!({"amount_sats": 100, "qr": true})))
        );
        assert_eq!(tool(&["receive-token", "-"]), Some(("receive_token", json!({"token": "-"}))));
        assert_eq!(
            tool(&["list-history", "--kind", "token_sent"]),
            Some(("list_history", json!({"kind": "token_sent"})))
        );
    }

    #[test]
    fn every_parameter_of_every_tool_can_be_given() {
        let grammar = command::<OwnerCommand>();
        for one in crate::api::tools::all() {
            let name = one.name.replace('_', "-");
            let found = grammar.find_subcommand(&name);
            let parameters = one
                .input_schema
                .get("properties")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            for parameter in parameters.keys() {
                assert!(
                    found.is_some_and(|found| found
                        .get_arguments()
                        .any(|arg| arg.get_id() == parameter)),
                    "{name} {parameter}"
                );
            }
        }
        let token = grammar
            .find_subcommand("receive-token")
            .and_then(|c| c.get_arguments().find(|arg| arg.get_id() == "token"));
        assert!(token.is_some_and(|arg| arg.get_long().is_none()), "no flag takes a secret");
    }

    #[test]
    fn what_cannot_be_read_is_a_usage_error() {
        for line in [
            &["pay"][..],
            &["pay", "a", "--to", "b"],
            &["deposit", "x"],
            &["nope"],
            &["list-history", "--kind", "x"],
        ] {
            assert_eq!(read(line).err().map(|stop| stop.code), Some(USAGE), "{line:?}");
        }
        assert_eq!(read(&["--help"]).err().map(|stop| stop.code), Some(OK));
    }

    #[test]
    fn flags_hold_everywhere_and_name_the_agent() {
        let serve = read(&["--agent", "a"]);
        assert!(
            serve.is_ok_and(
                |line| matches!(line.command, Command::Serve) && line.caller().agent == "a"
            )
        );
        let tool = read(&["get-balance", "--json", "--home", "/h"]);
        assert!(tool.is_ok_and(|line| line.globals.json
            && line.globals.home == Some("/h".into())
            && line.caller().agent == "cli"));
        assert!(
            read(&["pause"])
                .is_ok_and(|line| matches!(line.command, Command::Owner(OwnerCommand::Pause)))
        );
    }

    async fn run(line: &[&str], input: &str) -> Option<(u8, String, String)> {
        let read = read(line).ok()?;
        let (caller, json) = (read.caller(), read.globals.json);
        let Command::Tool(call) = read.command else { return None };
        let (mut input, mut output, mut errors) =
            (io::Cursor::new(input.to_owned()), Vec::new(), Vec::new());
        let streams = Streams { input: &mut input, output: &mut output, errors: &mut errors };
        let code =
            run_tool(call, json, &Here { source: &Busy, caller: &caller }, streams).await.ok()?;
        Some((
            code,
            String::from_utf8_lossy(&output).into_owned(),
            String::from_utf8_lossy(&errors).into_owned(),
        ))
    }

    #[tokio::test]
    async fn a_failure_is_told_where_it_belongs() {
        let plain = run(&["get-balance"], "").await;
        assert!(plain.is_some_and(|(code, out, err)| code == FAILURE
            && out.is_empty()
            && err.starts_with("wallet_busy: Held.\n")));
        let json = run(&["get-balance", "--json"], "").await;
        assert!(json.is_some_and(|(code, out, err)| code == FAILURE
            && out.starts_with('{')
            && err.is_empty()));
        let wrong = run(&["list-history", "--limit", "501"], "").await;
        assert!(wrong.is_some_and(|(code, _, _)| code == USAGE));
    }

    #[tokio::test]
    async fn a_token_can_come_by_the_standard_input() {
        let read = run(&["receive-token", "-"], "cashuBabc\n").await;
        assert!(
            read.is_some_and(|(code, _, err)| code == FAILURE && err.starts_with("wallet_busy"))
        );
        let empty = run(&["receive-token", "-"], "").await;
        assert!(empty.is_some_and(|(code, _, err)| code == USAGE && err.contains("token")));
    }
}
