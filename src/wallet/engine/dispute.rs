//! A swap that its mint said cannot have been made: inputs spent, nothing signed. It is kept, and
//! asked about for a week, should the mint have been wrong, or have lied; what it signed after all
//! is ours.
//!
//! Its counters are free at once, since whoever sends us spent tokens could else use up more of
//! them than a restore looks through.

use crate::mint::operation::Operation;
use crate::mint::swap::Swap;
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::engine::journal::journaled;

/// How long a disputed swap is asked about, in seconds.
pub(crate) const KEPT_SECONDS: u64 = 7 * 86_400;

/// Takes the place of ending the swap.
pub(crate) fn keep_disputed(core: &Core, swap: &Swap) -> Result<[Change; 2], Failure> {
    tracing::warn!(swap = %swap.id, "a mint says that this swap's inputs are spent and that it signed nothing; kept, and asked about again");
    Ok([
        journaled(&Operation::Swap(swap.disputed((core.clock)())))?,
        Change::FreeCounters(swap.counters()),
    ])
}
