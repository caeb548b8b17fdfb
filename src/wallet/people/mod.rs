//! Lookups about other people on Nostr, made without authenticating.

pub(super) mod find;
pub(super) mod recommended;
