//! Reports: balance, history, mints, lookups and sync status. They move no money.

pub(super) mod balance;
pub(super) mod history;
pub(super) mod lookup;
pub(super) mod mints;
pub(super) mod sync;

use crate::wallet::core::Core;

/// Handle for reports on balance, mints and history.
#[derive(Clone, Copy, Debug)]
pub struct Reports<'a>(pub(crate) &'a Core);
