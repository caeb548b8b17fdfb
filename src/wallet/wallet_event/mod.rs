//! What the wallet says of itself on relays (NIP-60 kind 17375, NIP-61 kind 10019), as this device
//! knows it, and the keys in it that open locked coins.

pub(crate) mod elsewhere;
pub(crate) mod known;
pub(crate) mod lock_keys;
