//! Hostile input: invoices, amounts, tokens, random calls.

mod rows;

use crate::table::How::{self, Runs};
use crate::table::proven;

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-098", Runs(|run| proven(rows::f098(run)))),
    ("F-099", Runs(|run| proven(rows::f099(run)))),
    ("F-100", Runs(|run| proven(rows::f100(run)))),
    ("F-122", Runs(|run| proven(rows::f122(run)))),
    ("F-124", Runs(|run| proven(rows::f124(run)))),
    ("F-125", Runs(|run| proven(rows::f125(run)))),
];
