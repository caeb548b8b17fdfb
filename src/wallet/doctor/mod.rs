//! Examination of the wallet on its relays, and tests of new relays. Changes no wallet data.

pub(super) mod examine;
pub(super) mod findings;
pub(super) mod gather;
pub mod trial;

pub use examine::{RelayStanding, RelayState, RelaysReport};
pub use findings::{Finding, FindingKind};
