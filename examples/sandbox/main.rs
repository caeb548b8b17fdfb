//! The wallet tried out on money that is worth nothing: `cargo xtask sandbox` builds it and the
//! wallet, and runs it.
//!
//! Starts a real Cashu mint on a simulated Lightning network, and runs two wallets as MCP servers,
//! each a process of its own, with a client that pays, hands out, takes back and runs into its
//! limits. Every figure but the times is read from the tools' answers. The end is the law: what the
//! wallets hold is what the mint owes.
//!
//! With `--serve` it keeps the mint up until Ctrl-C and prints what to put into a client's settings
//! to try it by hand.

#![expect(clippy::print_stdout, reason = "a program for people prints")]

mod report;
mod serve;
mod tour;
mod wallet;

use std::process::ExitCode;

use testbed::harness::Outcome;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe sandbox stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let serving = match arguments.as_slice() {
        [] => false,
        [only] if only == "--serve" => true,
        _ => return Err("usage: cargo xtask sandbox [--serve]".into()),
    };
    let program = testbed::wallet_binary()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if serving { serve::serve(&program).await } else { tour::tour(&program).await }
    })
}
