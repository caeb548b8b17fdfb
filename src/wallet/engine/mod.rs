//! What is done at a mint and written down before: swaps, received coins, and the question what the
//! mint has signed for us. Never makes value leave.

pub(super) mod dispute;
pub(super) mod journal;
pub(super) mod receive;
pub mod recheck;
pub(super) mod swap;
