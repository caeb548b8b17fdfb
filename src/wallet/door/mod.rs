//! The door: the only code path through which value leaves the wallet.
//!
//! ```text
//!  known? -> deny? -> plan -> admit -> execute -> record -> wake
//! ```
//! `known` finds requests that are already recorded, `admit` is the durable transaction that
//! creates a payment, `record` builds the results.

pub(super) mod admit;
pub(super) mod known;
pub mod record;
