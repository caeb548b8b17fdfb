//! A mint that lies or changes: quotes, states, signatures, keysets, information.

mod keysets;
mod lies;

use crate::table::How::Runs;
use crate::table::Severity::{S1, S2};
use crate::table::{Row, proven};

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-033",
        S1,
        "melt quote amount ≠ invoice amount (both ways)",
        Runs(|run| proven(lies::f033(run))),
    ),
    Row::new(
        "F-034",
        S1,
        "fee_reserve ×10, u64::MAX−1; amount+fee overflow",
        Runs(|run| proven(lies::f034(run))),
    ),
    Row::new("F-035", S1, "PAID with no/wrong preimage", Runs(|run| proven(lies::f035(run)))),
    Row::new(
        "F-036",
        S1,
        "paid (proofs spent) but quote says UNPAID/FAILED",
        Runs(|run| proven(lies::f036(run))),
    ),
    Row::new("F-037", S2, "state flips PAID→PENDING→UNPAID", Runs(|run| proven(lies::f037(run)))),
    Row::new(
        "F-038",
        S1,
        "bad signature, bad/missing DLEQ, wrong amount, foreign keyset id, fewer,",
        Runs(|run| proven(lies::f038(run))),
    ),
    Row::new("F-039", S1, "no / short NUT-08 change", Runs(|run| proven(lies::f039(run)))),
    Row::new(
        "F-040",
        S1,
        "NUT-07 says all SPENT (lie) / all UNSPENT",
        Runs(|run| proven(lies::f040(run))),
    ),
    Row::new(
        "F-041",
        S1,
        "rotate keyset between quote/prepare/confirm",
        Runs(|run| proven(keysets::f041(run))),
    ),
    Row::new(
        "F-042",
        S1,
        "keyset vanishes then reappears; mint lists nothing for 1 h",
        Runs(|run| proven(keysets::f042(run))),
    ),
    Row::new(
        "F-043",
        S1,
        "input_fee_ppk 0→10⁶ between prepare and confirm",
        Runs(|run| proven(keysets::f043(run))),
    ),
    Row::new(
        "F-044",
        S1,
        "second mint with copied keyset id; with id ≡ mod 2³¹−1; id not matching its",
        Runs(|run| proven(keysets::f044(run))),
    ),
    Row::new(
        "F-045",
        S1,
        "mint quote: 'PAID' without payment; 'ISSUED' after lost response; issue less",
        Runs(|run| proven(keysets::f045(run))),
    ),
    Row::new(
        "F-046",
        S2,
        "mint-quote bolt11 with other amount / expired / other network",
        Runs(|run| proven(keysets::f046(run))),
    ),
    Row::new(
        "F-047",
        S1,
        "NUT-09 answers: empty, partial, duplicate, foreign, reordered, then complete",
        Runs(|run| proven(keysets::f047(run))),
    ),
    Row::new(
        "F-048",
        S1,
        "mint 301→other origin / private IP; new pubkey in /info",
        Runs(|run| proven(keysets::f048(run))),
    ),
    Row::new(
        "F-049",
        S1,
        "units: msat/usd keyset, missing unit, same amounts",
        Runs(|run| proven(keysets::f049(run))),
    ),
];
