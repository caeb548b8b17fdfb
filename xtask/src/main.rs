//! `cargo xtask sandbox`: builds the wallet and the sandbox, reports the build's progress, and runs
//! the sandbox.
//!
//! It has no dependencies, so it starts within a second. It builds with the same profile and
//! features as `cargo test --workspace`, so that each of the two commands reuses what the other
//! built.

#![expect(clippy::print_stdout, reason = "a program for people prints")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: cargo xtask sandbox [--serve]

  sandbox            two wallets pay each other at a Cashu mint of their own
  sandbox --serve    keeps such a mint running, for use with your own client";

/// The period of the progress reports.
const TELL_EVERY: Duration = Duration::from_secs(15);

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((task, rest)) if task == "sandbox" => match sandbox(rest) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("xtask: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn sandbox(words: &[String]) -> Outcome<ExitCode> {
    build(&["--bin", "nutpurse", "--example", "sandbox"])?;
    let status =
        cargo().args(["run", "--quiet", "--example", "sandbox", "--"]).args(words).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds these targets of the wallet's package and reports the progress.
fn build(targets: &[&str]) -> Outcome {
    let begun = Instant::now();
    let all = packages()?;
    println!(
        "Building the wallet, with a Cashu mint and a Lightning network to try it on: {all} packages."
    );
    println!(
        "The first build takes about 5 minutes on 2 cores and 2 on 8. Later builds take seconds."
    );
    let mut build = cargo()
        .args(["build", "--quiet", "--message-format=json-render-diagnostics"])
        .args(targets)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = build.stdout.take().ok_or("cargo has no output")?;
    let (mut built, mut told) = (BTreeSet::new(), Instant::now());
    for line in BufReader::new(output).lines() {
        let line = line?;
        let Some(package) = finished(&line) else { continue };
        built.insert(package.to_owned());
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let minutes = begun.elapsed().as_secs_f64() / 60.0;
            println!(
                "  {minutes:4.1} min   {:3} of {all} packages   last: {}",
                built.len(),
                name(package)
            );
        }
    }
    if !build.wait()?.success() {
        return Err("the build failed".into());
    }
    println!("Built in {} s.\n", begun.elapsed().as_secs());
    Ok(())
}

/// Counts the packages of the wallet and its tests.
fn packages() -> Outcome<usize> {
    let tree = cargo()
        .args([
            "tree",
            "--locked",
            "--prefix",
            "none",
            "--edges",
            "normal,build,dev",
            "--format",
            "{p}",
        ])
        .output()?;
    let text = String::from_utf8(tree.stdout)?;
    let ids: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split(" (").next())
        .filter(|line| !line.is_empty())
        .collect();
    Ok(ids.len())
}

/// Returns the package of which this line of cargo's output reports a built part.
fn finished(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(r#"{"reason":"compiler-artifact","package_id":""#)?;
    rest.split('"').next()
}

/// Returns a package's name: `tokio` for `registry+…#tokio@1.54.1`, `testbed` for
/// `path+file:///…/testbed#0.1.0`.
fn name(package: &str) -> &str {
    let (place, version) = package.split_once('#').unwrap_or((package, ""));
    version
        .split_once('@')
        .map_or_else(|| place.rsplit('/').next().unwrap_or(place), |(name, _)| name)
}

fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // Cargo sets these variables for the programs it runs. A cargo that inherits them rebuilds
    // packages needlessly.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            cargo.env_remove(name);
        }
    }
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_cargos_names_its_package() {
        let line = r#"{"reason":"compiler-artifact","package_id":"registry+index#tokio@1.54.1","manifest_path":"x"}"#;
        assert_eq!(finished(line).map(name), Some("tokio"));
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///here/testbed#0.1.0","manifest_path":"x"}"#;
        assert_eq!(finished(line).map(name), Some("testbed"));
        assert_eq!(finished(r#"{"reason":"build-script-executed"}"#), None);
    }
}
