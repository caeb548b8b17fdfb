//! Nutzaps (NIP-61): those of others taken in, and our own on their way.

pub(super) mod collect;
pub(super) mod end_redeem;
pub(super) mod outgoing;
pub(super) mod redeem;
