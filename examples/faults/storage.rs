//! The disk: full, failing, read-only, damaged, old, gone; many coins; modes of files.

use crate::table::How::{self, Alone, Runs};
use crate::{damage, disk, files, lost};

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-060", Runs(|run| Box::pin(disk::disk_full(run)))),
    ("F-061", Runs(|run| Box::pin(disk::disk_fails(run)))),
    ("F-062", Runs(|run| Box::pin(files::read_only(run)))),
    ("F-063", Runs(|run| Box::pin(damage::damaged(run)))),
    ("F-064", Runs(|run| Box::pin(damage::deleted(run)))),
    ("F-065", Runs(|run| Box::pin(damage::rolled_back(run)))),
    ("F-068", Runs(|run| Box::pin(files::open_to_all(run)))),
    ("F-069", Alone(|run| Box::pin(files::many_coins(run)))),
    ("F-144", Runs(|run| Box::pin(lost::machine(run)))),
];
