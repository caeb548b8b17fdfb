//! Rows about what an agent is not allowed: limits, repetitions, lists, settings.

mod limits;
mod rules;

use crate::table::How::{self, Runs};
use crate::table::proven;

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-108", Runs(|run| proven(limits::f108(run)))),
    ("F-109", Runs(|run| proven(limits::f109(run)))),
    ("F-110", Runs(|run| proven(limits::f110(run)))),
    ("F-112", Runs(|run| proven(rules::f112(run)))),
    ("F-114", Runs(|run| proven(limits::f114(run)))),
    ("F-115", Runs(|run| proven(rules::f115(run)))),
    ("F-116", Runs(|run| proven(limits::f116(run)))),
    ("F-117", Runs(|run| proven(limits::f117(run)))),
    ("F-118", Runs(|run| proven(limits::f118(run)))),
    ("F-119", Runs(|run| proven(rules::f119(run)))),
    ("F-120", Runs(|run| proven(rules::f120(run)))),
    ("F-121", Runs(|run| proven(rules::f121(run)))),
];
