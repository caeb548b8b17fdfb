//! A mint that lies or changes: quotes, states, signatures, keysets, information.

mod keysets;
mod lies;

use crate::table::How::{self, Runs};
use crate::table::proven;

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-033", Runs(|run| proven(lies::f033(run)))),
    ("F-034", Runs(|run| proven(lies::f034(run)))),
    ("F-035", Runs(|run| proven(lies::f035(run)))),
    ("F-036", Runs(|run| proven(lies::f036(run)))),
    ("F-037", Runs(|run| proven(lies::f037(run)))),
    ("F-038", Runs(|run| proven(lies::f038(run)))),
    ("F-039", Runs(|run| proven(lies::f039(run)))),
    ("F-040", Runs(|run| proven(lies::f040(run)))),
    ("F-041", Runs(|run| proven(keysets::f041(run)))),
    ("F-042", Runs(|run| proven(keysets::f042(run)))),
    ("F-043", Runs(|run| proven(keysets::f043(run)))),
    ("F-044", Runs(|run| proven(keysets::f044(run)))),
    ("F-045", Runs(|run| proven(keysets::f045(run)))),
    ("F-046", Runs(|run| proven(keysets::f046(run)))),
    ("F-047", Runs(|run| proven(keysets::f047(run)))),
    ("F-048", Runs(|run| proven(keysets::f048(run)))),
    ("F-049", Runs(|run| proven(keysets::f049(run)))),
];
