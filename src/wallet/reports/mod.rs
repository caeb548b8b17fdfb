//! What the wallet holds, what has happened, and how it stands on relays. Moves nothing; a sync
//! alone changes what relays have.

pub(super) mod balance;
pub(super) mod history;
pub(super) mod lookup;
pub(super) mod mints;
pub(super) mod sync;

use crate::wallet::core::Core;

/// What the wallet holds, where, and what has happened.
#[derive(Clone, Copy, Debug)]
pub struct Reports<'a>(pub(crate) &'a Core);
