//! What relays shall hold of this wallet (NIP-60), queued as signed events and published.
//!
//! ```text
//!  a coin changes -> queue (plan, sign) -> publish (count acknowledgements) -> prune
//! ```

pub(super) mod counts;
pub(super) mod halve;
pub(super) mod plan;
pub(super) mod prune;
pub(super) mod publish;
pub(super) mod queue;
