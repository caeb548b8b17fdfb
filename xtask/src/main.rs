//! `cargo xtask sandbox` builds the wallet and the sandbox, reports the build's progress, and runs
//! the sandbox. `cargo xtask recording` draws what it prints, for the README.
//!
//! It has no dependencies, so it starts within a second. It builds with the same profile and
//! features as `cargo test --workspace`, so that each of the two commands reuses what the other
//! built.

#![expect(clippy::print_stdout, reason = "a program for people prints")]

mod recording;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: cargo xtask sandbox [--serve]
       cargo xtask recording

  sandbox            two wallets pay each other at a Cashu mint of their own
  sandbox --serve    keeps such a mint running, for use with your own client
  recording          runs the sandbox and draws what it prints as docs/sandbox.svg";

/// The period of the progress reports.
const TELL_EVERY: Duration = Duration::from_secs(15);

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sandbox", rest @ ..] => sandbox(rest),
        ["recording"] => record(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}

fn sandbox(words: &[&str]) -> Outcome<ExitCode> {
    build(&["--bin", "nutpurse", "--example", "sandbox"])?;
    let status = run_sandbox().args(words).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the sandbox and draws what it has printed.
fn record() -> Outcome<ExitCode> {
    build(&["--bin", "nutpurse", "--example", "sandbox"])?;
    let ran = run_sandbox().stderr(Stdio::inherit()).output()?;
    let printed = String::from_utf8(ran.stdout)?;
    if !ran.status.success() {
        return Err(format!("the sandbox failed; it printed:\n{printed}").into());
    }
    let picture = recording::svg(
        "cargo xtask sandbox",
        &printed,
        "A recorded terminal session: two wallets pay each other, meet their limits and add up.",
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sandbox.svg");
    std::fs::write(path, picture)?;
    println!("docs/sandbox.svg shows {} lines.", printed.lines().count());
    Ok(ExitCode::SUCCESS)
}

/// The sandbox, built and ready for more arguments.
fn run_sandbox() -> Command {
    let mut run = cargo();
    run.args(["run", "--quiet", "--example", "sandbox", "--"]);
    run
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
