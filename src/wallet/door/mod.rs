//! The one door through which value leaves.
//!
//! ```text
//!  known? -> deny? -> plan -> admit -> execute -> record -> wake
//! ```
//! `known` answers a request that is recorded, `admit` is the durable transaction in which a
//! payment begins to be, `record` describes what became of it.

pub(super) mod admit;
pub(super) mod known;
pub mod record;
