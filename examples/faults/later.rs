//! Rows that cannot run yet, and what they wait for.

use crate::table::How::{self, NotYet};

const FETCH: &str = "waits for the tool fetch";
const MIGRATION: &str = "waits for a second version of the file";
const FOLDERS: &str = "needs file systems that a test cannot make";
const APPROVAL: &str = "waits for approvals by a person";
const CORE: &str = "needs the right to read another process's memory";
const WEBHOOK: &str = "waits for webhooks";
const SUPPLY: &str = "the build is checked by .ci/run, not here";
const SOAK: &str = "takes a day: not part of this program yet";

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-007", NotYet(FETCH)),
    ("F-066", NotYet(MIGRATION)),
    ("F-067", NotYet(FOLDERS)),
    ("F-083", NotYet(FETCH)),
    ("F-084", NotYet(FETCH)),
    ("F-085", NotYet(FETCH)),
    ("F-086", NotYet(FETCH)),
    ("F-087", NotYet(FETCH)),
    ("F-088", NotYet(FETCH)),
    ("F-089", NotYet(FETCH)),
    ("F-090", NotYet(FETCH)),
    ("F-091", NotYet(FETCH)),
    ("F-092", NotYet(FETCH)),
    ("F-093", NotYet(FETCH)),
    ("F-094", NotYet(FETCH)),
    ("F-095", NotYet(FETCH)),
    ("F-096", NotYet(FETCH)),
    ("F-097", NotYet(FETCH)),
    ("F-113", NotYet(APPROVAL)),
    ("F-132", NotYet(CORE)),
    ("F-135", NotYet(WEBHOOK)),
    ("F-136", NotYet(WEBHOOK)),
    ("F-137", NotYet(WEBHOOK)),
    ("F-138", NotYet(WEBHOOK)),
    ("F-141", NotYet(MIGRATION)),
    ("F-142", NotYet(SUPPLY)),
    ("F-143", NotYet(SOAK)),
];
