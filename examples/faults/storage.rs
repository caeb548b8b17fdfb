//! The disk: full, failing, read-only, damaged, old, gone; many coins; modes of files.

use crate::table::How::{Alone, Runs};
use crate::table::Row;
use crate::table::Severity::{S1, S2};
use crate::{damage, disk, files, lost};

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-060",
        S1,
        "disk full from the k-th write on",
        Runs(|run| Box::pin(disk::disk_full(run))),
    ),
    Row::new(
        "F-061",
        S1,
        "input or output error at the k-th write, sync, rename",
        Runs(|run| Box::pin(disk::disk_fails(run))),
    ),
    Row::new("F-062", S2, "folder or file read-only", Runs(|run| Box::pin(files::read_only(run)))),
    Row::new(
        "F-063",
        S1,
        "file truncated, flipped, garbage, empty",
        Runs(|run| Box::pin(damage::damaged(run))),
    ),
    Row::new("F-064", S1, "file deleted, keys kept", Runs(|run| Box::pin(damage::deleted(run)))),
    Row::new(
        "F-065",
        S1,
        "file rolled back to yesterday's",
        Runs(|run| Box::pin(damage::rolled_back(run))),
    ),
    Row::new(
        "F-068",
        S1,
        "umask 000, a folder open to all",
        Runs(|run| Box::pin(files::open_to_all(run))),
    ),
    Row::new(
        "F-069",
        S2,
        "10,000 coins, a long history",
        Alone(|run| Box::pin(files::many_coins(run))),
    )
    .long(),
    Row::new(
        "F-144",
        S1,
        "the machine lost: a fresh folder and the words",
        Runs(|run| Box::pin(lost::machine(run))),
    ),
];
