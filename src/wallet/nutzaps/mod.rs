//! Nutzaps (NIP-61): redeeming incoming ones, and delivering our own.

pub(super) mod collect;
pub(super) mod end_redeem;
pub(super) mod outgoing;
pub(super) mod redeem;
