//! Hostile input: invoices, amounts, tokens, random calls.

use crate::table::How::NotYet;
use crate::table::Row;
use crate::table::Severity::{S1, S2};

pub(crate) const ROWS: &[Row] = &[
    Row::new("F-098", S1, "invoice: expired, testnet/regtest/signet, amountless, 0, 1 msat, 21 M BTC+1,", NotYet("no row yet")),
    Row::new("F-099", S1, "invoice already paid (history) / pending", NotYet("no row yet")),
    Row::new("F-100", S2, "own invoice at the same mint, and at another own mint", NotYet("no row yet")),
    Row::new("F-122", S1, "amounts −1, 0, 1.5, '1', 1e3, 2⁵³+1, 2⁶⁴−1, 2⁶⁴, NaN, null, 1000-digit, sat", NotYet("no row yet")),
    Row::new("F-124", S1, "tokens: malformed A/B, CBOR bombs, 100 k proofs, duplicate secrets, mixed", NotYet("no row yet")),
    Row::new("F-125", S2, "10⁵ mutated tool calls from the schema (fixed seed)", NotYet("no row yet")),
];
