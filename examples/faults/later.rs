//! Rows that cannot run yet, and what they wait for.

use crate::table::How::NotYet;
use crate::table::Row;
use crate::table::Severity::{S1, S2};

const FETCH: &str = "waits for the tool fetch";
const MIGRATION: &str = "waits for a second version of the file";
const FOLDERS: &str = "needs file systems that a test cannot make";
const APPROVAL: &str = "waits for approvals by a person";
const CORE: &str = "needs the right to read another process's memory";
const WEBHOOK: &str = "waits for webhooks";
const SUPPLY: &str = "the build is checked by .ci/run, not here";
const SOAK: &str = "takes a day: not part of this program yet";

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-007",
        S1,
        "paid fetch: kill between pay and credential save; NUT-24 between token",
        NotYet(FETCH),
    ),
    Row::new(
        "F-066",
        S1,
        "kill at each step of a schema migration; newer schema with older binary;",
        NotYet(MIGRATION),
    ),
    Row::new(
        "F-067",
        S2,
        "dir on synced/network FS, no lock support, symlinked dir, case-insensitive FS",
        NotYet(FOLDERS),
    ),
    Row::new(
        "F-083",
        S1,
        "URL or 30x to 127.0.0.1, [::1], 0.0.0.0, 169.254.169.254, 10/8, 100.64/10,",
        NotYet(FETCH),
    ),
    Row::new(
        "F-084",
        S1,
        "DNS rebinding (TTL 0: public then private; mixed A records)",
        NotYet(FETCH),
    ),
    Row::new("F-085", S1, "307/308 to other origin after payment", NotYet(FETCH)),
    Row::new(
        "F-086",
        S1,
        "price differs between probe and real 402; between 402 and refreshed 402",
        NotYet(FETCH),
    ),
    Row::new("F-087", S1, "always 402 after paying", NotYet(FETCH)),
    Row::new("F-088", S2, "takes payment then 500 / hang / reset", NotYet(FETCH)),
    Row::new(
        "F-089",
        S1,
        "invoice amountless / 0 / > cap / msat fraction; payment hash ≠ macaroon;",
        NotYet(FETCH),
    ),
    Row::new(
        "F-090",
        S1,
        "expired, other network, bad signature invoice in challenge",
        NotYet(FETCH),
    ),
    Row::new(
        "F-091",
        S2,
        "5 GiB body, gzip bomb, binary, endless chunked, HTML with injection",
        NotYet(FETCH),
    ),
    Row::new("F-092", S1, "http://, bad cert, userinfo, file:, ftp:, unix:, CRLF", NotYet(FETCH)),
    Row::new(
        "F-093",
        S1,
        "credential for A tried on B: other port, scheme, subdomain, A.evil, path ..,",
        NotYet(FETCH),
    ),
    Row::new(
        "F-094",
        S2,
        "X-Cashu: foreign mint, other unit, amount 0/huge, nut10 lock needed, creqA",
        NotYet(FETCH),
    ),
    Row::new(
        "F-095",
        S1,
        "server keeps the X-Cashu token and returns 4xx/5xx/nothing",
        NotYet(FETCH),
    ),
    Row::new("F-096", S2, "POST with body + 402", NotYet(FETCH)),
    Row::new(
        "F-097",
        S1,
        "model supplies headers: CRLF, Host, Authorization, Cookie, Proxy-*",
        NotYet(FETCH),
    ),
    Row::new(
        "F-113",
        S1,
        "approval: self-approve, replayed id, approve A then pay B / other amount,",
        NotYet(APPROVAL),
    ),
    Row::new("F-132", S2, "gcore after lock/drop (best effort)", NotYet(CORE)),
    Row::new("F-135", S1, "target private IP, redirect, rebinding, http", NotYet(WEBHOOK)),
    Row::new("F-136", S2, "sink 500/timeout/drip for 1 h; kill owner meanwhile", NotYet(WEBHOOK)),
    Row::new("F-137", S1, "tamper, replay, no signature", NotYet(WEBHOOK)),
    Row::new("F-138", S2, "sink down and 10⁵ events", NotYet(WEBHOOK)),
    Row::new(
        "F-141",
        S1,
        "previous release writes state with pending ops of every kind → upgrade →",
        NotYet(MIGRATION),
    ),
    Row::new(
        "F-142",
        S1,
        "CI: cargo deny (advisories, bans, sources, licenses), cargo audit, cargo",
        NotYet(SUPPLY),
    ),
    Row::new("F-143", S1, "24 h soak with random faults of all classes (fixed seed)", NotYet(SOAK)),
];
