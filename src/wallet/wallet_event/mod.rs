//! What the wallet says of itself on relays (NIP-60 kind 17375, NIP-61 kind 10019), as this device
//! knows it, and the keys in it that open locked coins.

pub(in crate::wallet) mod elsewhere;
pub(in crate::wallet) mod known;
pub(in crate::wallet) mod lock_keys;
