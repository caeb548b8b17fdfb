//! Rows about secrets in logs, files, processes and answers.

mod rows;

use crate::table::How::{self, Runs};
use crate::table::proven;

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-127", Runs(|run| proven(rows::f127(run)))),
    ("F-128", Runs(|run| proven(rows::f128(run)))),
    ("F-129", Runs(|run| proven(rows::f129(run)))),
    ("F-130", Runs(|run| proven(rows::f130(run)))),
    ("F-133", Runs(|run| proven(rows::f133(run)))),
    ("F-134", Runs(|run| proven(rows::f134(run)))),
];
