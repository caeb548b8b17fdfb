//! How many faults the shipped wallet survives: `just faults`.
//!
//! Drives the wallet's binary over its standard streams, as a client does, at real mints behind a
//! proxy that fails on demand, on a disk that fails on demand, by a clock that jumps on demand, and
//! kills it. One line a row; then the score. A row passes only if what it asks holds, the law
//! holds, and its fault fired. Rows that cannot run yet are listed as not run, never as passed.
//!
//! * `table.rs`: what a row is; all rows, from one file per group (`death.rs`, `transport.rs`,
//!   ...).
//! * `scene.rs`: what a row plays on: a fresh mint behind a proxy, and wallets. `wallet.rs`,
//!   `session.rs`, `mint.rs`: these.
//! * `verb.rs`: the verbs that move money, as acts that a fault falls into.
//! * `law.rs`: what holds after every row. `watch.rs`: what is watched over all of the run.
//! * `trial.rs`: runs the rows. `report.rs`: prints, and writes the last line into the README.
//!
//! Everything random comes from the seed, which is printed first. `--help` tells the arguments.

#![expect(clippy::print_stdout, reason = "a program for people prints")]

mod address;
mod arguments;
mod clients;
mod crowd;
mod daemon;
mod damage;
mod death;
mod disk;
mod ends;
mod files;
mod home;
mod input;
mod late;
mod later;
mod law;
mod liar;
mod lost;
mod mint;
mod nightly;
mod policy;
mod random;
mod relays;
mod report;
mod scene;
mod secrets;
mod session;
mod slow;
mod socket;
mod stage;
mod storage;
mod table;
mod tls;
mod transport;
mod trial;
mod verb;
mod wallet;
mod watch;

use std::error::Error;
use std::process::ExitCode;

/// Whatever went wrong, as one text.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ends a row with this reason.
fn fail<T>(why: impl Into<String>) -> Outcome<T> {
    Err(why.into().into())
}

/// Ends a row where this does not hold.
fn holds(is_so: bool, what: impl std::fmt::Display) -> Outcome {
    if is_so { Ok(()) } else { fail(what.to_string()) }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("\nThe score could not be taken: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<bool> {
    let Some(arguments) = arguments::Arguments::read(std::env::args().skip(1))? else {
        println!("{}", arguments::USAGE);
        return Ok(true);
    };
    if arguments.list {
        report::list(&table::all());
        return Ok(true);
    }
    println!("seed {}", arguments.seed);
    let binary = match &arguments.binary {
        Some(path) => path.canonicalize()?,
        None => testbed::wallet_binary()?,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(trial::take(arguments, binary))
}
