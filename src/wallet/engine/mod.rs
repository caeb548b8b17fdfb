//! Journaled work at a mint: swaps, received proofs, and the search for what a mint has signed for
//! this wallet. Never makes value leave.

pub(super) mod dispute;
pub(super) mod journal;
pub(super) mod receive;
pub mod recheck;
pub(super) mod swap;
