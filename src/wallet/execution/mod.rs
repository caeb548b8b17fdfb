//! How a planned payment is carried out: coins chosen and made exact, a quote melted, a token made.
//!
//! ```text
//!  Draft --(mint, price)--> Planned --(the one door)--> Payment --(melt | token)--> settled
//! ```

pub(super) mod cancel;
pub(super) mod coin_selection;
pub(super) mod exact;
pub(super) mod judge;
pub(super) mod melt;
pub(super) mod planned;
pub(super) mod preimage;
pub(super) mod token;
