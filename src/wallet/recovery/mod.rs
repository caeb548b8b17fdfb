//! Recovery of operations interrupted, undecided or lost with a device; upkeep of the file.
//!
//! Never decides from silence or from the clock: time only says when to ask again.

pub(super) mod disputed_swaps;
pub(super) mod follow_policy;
pub(super) mod give_up;
pub(super) mod reconcile;
pub(super) mod startup;
pub(super) mod undecided;
pub mod upkeep;

use crate::wallet::core::Core;

/// Handle for recovery and for the upkeep of the wallet's file.
#[derive(Clone, Copy, Debug)]
pub struct Recovery<'a>(pub(crate) &'a Core);
