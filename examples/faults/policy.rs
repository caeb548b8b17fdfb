//! What an agent may not: limits, repetitions, lists, settings.

use crate::table::How::NotYet;
use crate::table::Row;
use crate::table::Severity::{S1, S2};

pub(crate) const ROWS: &[Row] = &[
    Row::new("F-108", S1, "limit 1000; 100 parallel pays of 100, mint delay 0–2 s, 20 repeats", NotYet("no row yet")),
    Row::new("F-109", S1, "same over 2 sessions / 2 processes / 2 agents + global cap", NotYet("no row yet")),
    Row::new("F-110", S1, "fees, fee reserve, change, failed pay ×100", NotYet("no row yet")),
    Row::new("F-112", S1, "scripted 'injected agent': calls every tool with every admin-looking", NotYet("no row yet")),
    Row::new("F-114", S1, "drain by 1-sat payments under the auto limit", NotYet("no row yet")),
    Row::new("F-115", S2, "memo/description/nickname/mint name with injection, bidi, zero-width, 1 MiB", NotYet("no row yet")),
    Row::new("F-116", S1, "same op id + same args ×5, also after restart and in another process", NotYet("no row yet")),
    Row::new("F-117", S1, "same op id + other args", NotYet("no row yet")),
    Row::new("F-118", S1, "no op id; agent retries same invoice/payee+amount after timeout", NotYet("no row yet")),
    Row::new("F-119", S1, "policy missing, invalid, unreadable, 0777, edited while running, symlink", NotYet("no row yet")),
    Row::new("F-120", S1, "allow-list bypass: case, trailing dot, punycode, userinfo, port, %2e, path", NotYet("no row yet")),
    Row::new("F-121", S1, "receive token of unknown mint / private-IP mint", NotYet("no row yet")),
];
