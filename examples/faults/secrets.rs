//! Where secrets must not be.

use crate::table::How::NotYet;
use crate::table::Row;
use crate::table::Severity::{S1, S2};

pub(crate) const ROWS: &[Row] = &[
    Row::new("F-127", S1, "run the whole suite at RUST_LOG=trace; canaries: mnemonic words (≥3 in", NotYet("no row yet")),
    Row::new("F-128", S1, "panic with backtrace, SIGABRT, core pattern", NotYet("no row yet")),
    Row::new("F-129", S1, "/proc/<pid>/cmdline, environ of shim and owner; config print tools", NotYet("no row yet")),
    Row::new("F-130", S1, "list all files, sockets, temp files after each row", NotYet("no row yet")),
    Row::new("F-133", S2, "keyring absent, locked, D-Bus hanging 60 s", NotYet("no row yet")),
    Row::new("F-134", S1, "fail at each step of send/fetch", NotYet("no row yet")),
];
