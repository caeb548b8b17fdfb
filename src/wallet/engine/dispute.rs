//! Disputed swaps: the mint called the inputs spent and said that it signed nothing. A disputed
//! swap stays in the journal and is asked about for a week, in case the mint was wrong or lied;
//! whatever it did sign belongs to this wallet.
//!
//! The swap's counters are free at once. Otherwise someone who sends spent tokens could use up more
//! counters than a restore searches.

use crate::mint::operation::Operation;
use crate::mint::swap::Swap;
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::engine::journal::journaled;

/// Time for which a disputed swap is asked about, in seconds.
pub(crate) const KEPT_SECONDS: u64 = 7 * 86_400;

/// Returns the changes that keep a swap as disputed instead of ending it.
pub(crate) fn keep_disputed(core: &Core, swap: &Swap) -> Result<[Change; 2], Failure> {
    tracing::warn!(swap = %swap.id, "the mint says that this swap's inputs are spent and that it signed nothing; the swap is kept as disputed");
    Ok([
        journaled(&Operation::Swap(swap.disputed((core.clock)())))?,
        Change::FreeCounters(swap.counters()),
    ])
}
