//! What an agent may not: limits, repetitions, lists, settings.

mod limits;
mod rules;

pub(crate) use rules::secret_words;

use crate::table::How::Runs;
use crate::table::Severity::{S1, S2};
use crate::table::{Row, proven};

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-108",
        S1,
        "limit 1000; 100 parallel pays of 100, mint delay 0–2 s, 20 repeats",
        Runs(|run| proven(limits::f108(run))),
    ),
    Row::new(
        "F-109",
        S1,
        "same over 2 sessions / 2 processes / 2 agents + global cap",
        Runs(|run| proven(limits::f109(run))),
    ),
    Row::new(
        "F-110",
        S1,
        "fees, fee reserve, change, failed pay ×100",
        Runs(|run| proven(limits::f110(run))),
    ),
    Row::new(
        "F-112",
        S1,
        "scripted 'injected agent': calls every tool with every admin-looking",
        Runs(|run| proven(rules::f112(run))),
    ),
    Row::new(
        "F-114",
        S1,
        "drain by 1-sat payments under the auto limit",
        Runs(|run| proven(limits::f114(run))),
    ),
    Row::new(
        "F-115",
        S2,
        "memo/description/nickname/mint name with injection, bidi, zero-width, 1 MiB",
        Runs(|run| proven(rules::f115(run))),
    ),
    Row::new(
        "F-116",
        S1,
        "same op id + same args ×5, also after restart and in another process",
        Runs(|run| proven(limits::f116(run))),
    ),
    Row::new("F-117", S1, "same op id + other args", Runs(|run| proven(limits::f117(run)))),
    Row::new(
        "F-118",
        S1,
        "no op id; agent retries same invoice/payee+amount after timeout",
        Runs(|run| proven(limits::f118(run))),
    ),
    Row::new(
        "F-119",
        S1,
        "policy missing, invalid, unreadable, 0777, edited while running, symlink",
        Runs(|run| proven(rules::f119(run))),
    ),
    Row::new(
        "F-120",
        S1,
        "allow-list bypass: case, trailing dot, punycode, userinfo, port, %2e, path",
        Runs(|run| proven(rules::f120(run))),
    ),
    Row::new(
        "F-121",
        S1,
        "receive token of unknown mint / private-IP mint",
        Runs(|run| proven(rules::f121(run))),
    ),
];
