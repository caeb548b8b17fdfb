//! How many faults the shipped wallet survives: `just faults`.
//!
//! Drives the wallet's binary over its standard streams, as a client does, at real mints behind a
//! proxy that fails on demand, on a disk that fails on demand, by a clock that jumps on demand, and
//! kills it. One line a row; then the score. A row passes only if what it asks holds, the law
//! holds, and its fault fired. Rows that cannot run yet are listed as not run, never as passed.
//!
//! * `rows.rs` lists all rows, and `table.rs` joins them with the functions that run them, which
//!   are in one file per group (`death.rs`, `transport.rs`, ...).
//! * `scene.rs` is the scene of a row: a fresh mint (`mint.rs`) behind a proxy, and wallets
//!   (`wallet.rs`). Folder, session and answers are those of [`testbed::harness`].
//! * `verb.rs` has the verbs that move money, as acts that a fault interrupts.
//! * `law.rs` is the check after every row.
//! * `trial.rs` runs the rows. `report.rs` prints, and writes the last line into the README.
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
mod rows;
mod scene;
mod secrets;
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

use std::process::ExitCode;

use testbed::harness::Outcome;

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
