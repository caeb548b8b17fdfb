//! Builds the wallet as it is shipped.
//!
//! An example is built together with the development dependencies, which turn on features of cdk that the wallet does not have. So the
//! program under test is made by a build of its own, and found by what cargo says of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;

/// The path of the release binary, built now if it has to be.
pub(crate) fn wallet() -> Outcome<PathBuf> {
    println!("Building the wallet: cargo build --release");
    let mut build = Command::new(env!("CARGO"));
    // What cargo tells the programs that it runs would make it build again what was built without.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_about_a_package)) {
        build.env_remove(name);
    }
    let built = build
        .args(["build", "--release", "--bin", "nutpurse", "--message-format=json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err("the wallet could not be built".into());
    }
    let told = String::from_utf8(built.stdout)?;
    told.lines().find_map(executable).ok_or_else(|| "cargo named no binary".into())
}

fn is_about_a_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start))
}

fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let name = message.pointer("/target/name").and_then(Value::as_str);
    let path = message.get("executable").and_then(Value::as_str);
    path.filter(|_| name == Some("nutpurse")).map(PathBuf::from)
}
