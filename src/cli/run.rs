//! One tool, called from the command line.
//!
//! The result goes to the standard output; what went wrong goes to the standard error, or with `--json` to the standard output, as a
//! program expects it.

use std::io::{self, Read, Write};

use serde_json::{Map, Value, json};

use super::{FAILURE, OK, ToolCall, USAGE, args, render};
use crate::mcp::tools::{self, Silent, ToolFailure};
use crate::wallet::{Caller, Code, Error, Source};

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

/// Calls a tool and shows what it answers. Returns the exit code: [`OK`], [`FAILURE`], or [`USAGE`] where a parameter was wrong.
///
/// # Errors
/// A stream that cannot be read or written; the call may have been made.
///
/// # Cancel safety
/// As [`tools::call`]: no payment is cut.
pub async fn run_tool(call: ToolCall, json: bool, caller: &Caller, source: &dyn Source, streams: Streams<'_>) -> io::Result<u8> {
    let Streams { input, output, errors } = streams;
    let arguments = from_input(call.arguments, input)?;
    match tools::call(call.name, arguments, caller, source, &Silent).await {
        Ok(answer) => {
            if json {
                writeln!(output, "{}", answer.structured)?;
            } else {
                render::result(&answer.structured, output)?;
            }
            output.flush()?;
            Ok(OK)
        }
        Err(failure) => {
            let error = match failure {
                ToolFailure::Failed(error) => error,
                ToolFailure::UnknownTool => Error::invalid("tool", "This agent has no tool of that name."),
            };
            if json {
                writeln!(output, "{}", serde_json::to_value(&error).unwrap_or(Value::Null))?;
                output.flush()?;
            } else {
                render::failure(&error, errors)?;
                errors.flush()?;
            }
            Ok(if error.code == Code::InvalidInput { USAGE } else { FAILURE })
        }
    }
}

fn from_input(mut arguments: Map<String, Value>, input: &mut dyn Read) -> io::Result<Map<String, Value>> {
    for name in args::FROM_INPUT {
        if arguments.get(*name).is_some_and(|value| value == "-") {
            let mut text = String::new();
            input.take(INPUT_MAX).read_to_string(&mut text)?;
            arguments.insert((*name).to_owned(), json!(text.trim()));
        }
    }
    Ok(arguments)
}
