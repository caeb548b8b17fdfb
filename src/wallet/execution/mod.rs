//! Execution of a planned payment: choosing proofs, making them exact, melting, making a token.
//!
//! ```text
//!  Draft --(mint, price)--> Planned --(the door)--> Payment --(melt | token)--> settled
//! ```

pub(super) mod cancel;
pub(super) mod coin_selection;
pub(super) mod exact;
pub(super) mod judge;
pub(super) mod melt;
pub(super) mod planned;
pub(super) mod preimage;
pub(super) mod token;
