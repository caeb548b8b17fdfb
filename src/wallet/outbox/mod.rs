//! The wallet's events for relays (NIP-60), signed, queued and published.
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
