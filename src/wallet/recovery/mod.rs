//! What was cut short, is undecided, or was lost, and the upkeep of the wallet's file. Never
//! decides from silence or from the clock: time only says when to ask again.

pub(super) mod disputed_swaps;
pub(super) mod follow_policy;
pub(super) mod give_up;
pub(super) mod reconcile;
pub(super) mod startup;
pub(super) mod undecided;
pub mod upkeep;

use crate::wallet::core::Core;

/// What was cut short, is undecided, or was lost with a device, and the upkeep of the wallet's
/// file.
#[derive(Clone, Copy, Debug)]
pub struct Recovery<'a>(pub(crate) &'a Core);
