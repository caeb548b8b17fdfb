//! Hostile input: invoices, amounts, tokens, random calls.

mod rows;

use crate::table::How::Runs;
use crate::table::Severity::{S1, S2};
use crate::table::{Row, proven};

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-098",
        S1,
        "invoice: expired, testnet/regtest/signet, amountless, 0, 1 msat, 21 M BTC+1,",
        Runs(|run| proven(rows::f098(run))),
    ),
    Row::new(
        "F-099",
        S1,
        "invoice already paid (history) / pending",
        Runs(|run| proven(rows::f099(run))),
    ),
    Row::new(
        "F-100",
        S2,
        "own invoice at the same mint, and at another own mint",
        Runs(|run| proven(rows::f100(run))),
    ),
    Row::new(
        "F-122",
        S1,
        "amounts −1, 0, 1.5, '1', 1e3, 2⁵³+1, 2⁶⁴−1, 2⁶⁴, NaN, null, 1000-digit, sat",
        Runs(|run| proven(rows::f122(run))),
    ),
    Row::new(
        "F-124",
        S1,
        "tokens: malformed A/B, CBOR bombs, 100 k proofs, duplicate secrets, mixed",
        Runs(|run| proven(rows::f124(run))),
    ),
    Row::new(
        "F-125",
        S2,
        "10⁵ mutated tool calls from the schema (fixed seed)",
        Runs(|run| proven(rows::f125(run))),
    ),
];
