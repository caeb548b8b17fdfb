//! Calls one tool from the command line.
//!
//! The result goes to standard output; an error goes to standard error, or with `--json` to
//! standard output as well.

use std::io::{self, Read, Write};

use async_trait::async_trait;

use serde_json::{Map, Value, json};

use super::{FAILURE, OK, ToolCall, USAGE, args, render};
use crate::api::tools::{self, Silent, ToolFailure};
use crate::api::{Code, Error, Source};
use crate::wallet::Caller;

/// Maximum number of bytes read from standard input.
const INPUT_MAX: u64 = 1_000_000;

/// The streams of a command.
pub struct Streams<'a> {
    /// Standard input, read only if a parameter is `-`.
    pub input: &'a mut (dyn Read + Send),
    /// Standard output, for results.
    pub output: &'a mut (dyn Write + Send),
    /// Standard error, for errors.
    pub errors: &'a mut (dyn Write + Send),
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams(..)")
    }
}

/// The tools of this process or of the daemon.
#[async_trait]
pub trait Tools: Send + Sync {
    /// Calls a tool.
    ///
    /// # Errors
    /// The error object of the tools.
    ///
    /// # Cancel safety
    /// As for [`tools::call`]: no payment is interrupted.
    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, Value>;
}

/// The tools of this process.
#[derive(Debug)]
pub struct Here<'a> {
    /// The source of the wallet.
    pub source: &'a dyn Source,
    /// The calling agent.
    pub caller: &'a Caller,
}

#[async_trait]
impl Tools for Here<'_> {
    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, Value> {
        tools::call(name, arguments, self.caller, self.source, &Silent)
            .await
            .map(|answer| answer.structured)
            .map_err(|failure| {
                let error = match failure {
                    ToolFailure::Failed(error) => error,
                    ToolFailure::UnknownTool => {
                        Error::invalid("tool", "This agent has no tool with that name.")
                    }
                };
                serde_json::to_value(error).unwrap_or_default()
            })
    }
}

/// Calls a tool, shows its result and returns the exit code: [`OK`], [`FAILURE`], or [`USAGE`] for
/// an invalid parameter.
///
/// # Errors
/// A stream that cannot be read or written; the call may have been made.
///
/// # Cancel safety
/// As for [`Tools::call`]: no payment is interrupted.
pub async fn run_tool(
    call: ToolCall,
    json: bool,
    tools: &dyn Tools,
    streams: Streams<'_>,
) -> io::Result<u8> {
    let Streams { input, output, errors } = streams;
    let arguments = from_input(call.arguments, input)?;
    match tools.call(call.name, arguments).await {
        Ok(answer) => {
            if json {
                writeln!(output, "{answer}")?;
            } else {
                render::result(&answer, output)?;
            }
            output.flush()?;
            Ok(OK)
        }
        Err(error) => {
            if json {
                writeln!(output, "{error}")?;
                output.flush()?;
            } else {
                render::failure(&error, errors)?;
                errors.flush()?;
            }
            Ok(if error.get("error").is_some_and(|code| code == Code::InvalidInput.as_str()) {
                USAGE
            } else {
                FAILURE
            })
        }
    }
}

fn from_input(
    mut arguments: Map<String, Value>,
    input: &mut dyn Read,
) -> io::Result<Map<String, Value>> {
    for name in args::FROM_INPUT {
        if arguments.get(*name).is_some_and(|value| value == "-") {
            let mut text = String::new();
            input.take(INPUT_MAX).read_to_string(&mut text)?;
            arguments.insert((*name).to_owned(), json!(text.trim()));
        }
    }
    Ok(arguments)
}
