//! The shipped binary, run on a home as a shell would run it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::Home;

/// The binary on this home, with nothing of our own environment.
pub(crate) fn binary(home: &Home) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nutpurse"));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("NUTPURSE_KEYRING", "off");
    command.arg("--in-process").arg("--home").arg(home.path());
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

/// Runs one command line that must do its work, and gives what it printed.
pub(crate) fn done(home: &Home, line: &[&str]) -> String {
    let mut command = binary(home);
    command.args(line);
    let output = run(command, "");
    assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The same with `--json`, read.
pub(crate) fn json(home: &Home, line: &[&str]) -> Value {
    serde_json::from_str(&done(home, &[line, &["--json"]].concat())).unwrap()
}
