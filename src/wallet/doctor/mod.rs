//! The wallet on its relays, examined: what each relay shows, what the mints say of it, and what is
//! wrong. Changes nothing.

pub(super) mod examine;
pub(super) mod findings;
pub(super) mod gather;
pub mod trial;

pub use examine::{RelayStanding, RelayState, RelaysReport};
pub use findings::{Finding, FindingKind};
