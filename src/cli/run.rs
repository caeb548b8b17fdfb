//! One tool, called from the command line.
//!
//! The result goes to the standard output; what went wrong goes to the standard error, or with
//! `--json` to the standard output, as a program expects it.

use std::io::{self, Read, Write};

use async_trait::async_trait;

use serde_json::{Map, Value, json};

use super::{FAILURE, OK, ToolCall, USAGE, args, render};
use crate::api::tools::{self, Silent, ToolFailure};
use crate::api::{Code, Error, Source};
use crate::wallet::Caller;

/// The most bytes read from the standard input.
const INPUT_MAX: u64 = 1_000_000;

/// The streams of a command.
pub struct Streams<'a> {
    /// Read only where a parameter is `-`.
    pub input: &'a mut (dyn Read + Send),
    /// Results.
    pub output: &'a mut (dyn Write + Send),
    /// Complaints.
    pub errors: &'a mut (dyn Write + Send),
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams(..)")
    }
}

/// Where a tool is called: in this process, or in the one that keeps the wallet.
#[async_trait]
pub trait Tools: Send + Sync {
    /// Calls a tool.
    ///
    /// # Errors
    /// The error object of the tools.
    ///
    /// # Cancel safety
    /// As [`tools::call`]: no payment is cut.
    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, Value>;
}

/// The tools of this process.
#[derive(Debug)]
pub struct Here<'a> {
    /// Where the wallet comes from.
    pub source: &'a dyn Source,
    /// In whose name.
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
                        Error::invalid("tool", "This agent has no tool of that name.")
                    }
                };
                serde_json::to_value(error).unwrap_or_default()
            })
    }
}

/// Calls a tool and shows what it answers. Returns the exit code: [`OK`], [`FAILURE`], or [`USAGE`]
/// where a parameter was wrong.
///
/// # Errors
/// A stream that cannot be read or written; the call may have been made.
///
/// # Cancel safety
/// As [`Tools::call`]: no payment is cut.
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
