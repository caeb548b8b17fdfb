//! The command line: every tool as a subcommand, and the commands that only a person may run.
//!
//! It turns a command line into a tool call and renders the result; the tool layer does the rest,
//! as for any agent. It writes only to the streams it is given. No flag takes a key, a mnemonic or
//! a password; a token can be passed as `-` and is then read from standard input.

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
    /// `true` if results are printed as JSON.
    pub json: bool,
    /// `true` with `--in-process`: the wallet runs in this process.
    pub in_process: bool,
}

/// A tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The tool's name.
    pub name: &'static str,
    /// The arguments. [`run_tool`] replaces `-` with the text from standard input.
    pub arguments: Map<String, Value>,
}

/// A command. `O` is the enum of the owner's commands.
#[derive(Clone, Debug, PartialEq)]
pub enum Command<O> {
    /// No command: an MCP session on the standard streams, or the help text in a terminal.
    Serve,
    /// The daemon, which serves the wallet to all other processes.
    Daemon {
        /// `true` if the process is already detached from the process that started it.
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
mod tests;
