//! The commands of the shipped binary, run on a home as a shell runs them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use testbed::harness;

use super::Home;

/// The binary on this home, through the daemon.
pub(crate) fn program(home: &Home) -> Command {
    harness::program(Path::new(env!("CARGO_BIN_EXE_nutpurse")), home.path())
}

/// The binary on this home, in one process.
pub(crate) fn binary(home: &Home) -> Command {
    let mut command = program(home);
    command.env("TERM", "xterm").arg("--in-process");
    command
}

/// Runs it with `input` on a pipe, and waits for its end.
pub(crate) fn run(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that needs no input may have ended before it is written.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

/// Runs one command line. Returns what it printed; an error where it failed.
pub(crate) fn tried(mut command: Command, line: &[&str]) -> Result<String, String> {
    command.args(line);
    let output = run(command, "");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    if output.status.success() { Ok(said) } else { Err(said + &text(&output.stderr)) }
}

/// Runs one command line that must succeed, and gives what it printed.
pub(crate) fn done(home: &Home, line: &[&str]) -> String {
    tried(binary(home), line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

/// Runs one command line with `--json` that must succeed, and reads what it printed.
pub(crate) fn json(home: &Home, line: &[&str]) -> Value {
    serde_json::from_str(&done(home, &[line, &["--json"]].concat())).unwrap()
}
