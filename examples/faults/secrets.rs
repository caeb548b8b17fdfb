//! Where secrets must not be.

mod rows;

use crate::table::How::Runs;
use crate::table::Severity::{S1, S2};
use crate::table::{Row, proven};

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-127",
        S1,
        "run the whole suite at RUST_LOG=trace; canaries: mnemonic words (≥3 in",
        Runs(|run| proven(rows::f127(run))),
    ),
    Row::new(
        "F-128",
        S1,
        "panic with backtrace, SIGABRT, core pattern",
        Runs(|run| proven(rows::f128(run))),
    ),
    Row::new(
        "F-129",
        S1,
        "/proc/<pid>/cmdline, environ of shim and owner; config print tools",
        Runs(|run| proven(rows::f129(run))),
    ),
    Row::new(
        "F-130",
        S1,
        "list all files, sockets, temp files after each row",
        Runs(|run| proven(rows::f130(run))),
    ),
    Row::new(
        "F-133",
        S2,
        "keyring absent, locked, D-Bus hanging 60 s",
        Runs(|run| proven(rows::f133(run))),
    ),
    Row::new("F-134", S1, "fail at each step of send/fetch", Runs(|run| proven(rows::f134(run)))),
];
