//! The wallet's own events on relays (NIP-60 kind 17375, NIP-61 kind 10019), as known to this
//! device, and the keys that unlock locked proofs.

pub(crate) mod elsewhere;
pub(crate) mod known;
pub(crate) mod lock_keys;
