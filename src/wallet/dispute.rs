//! A swap that its mint said cannot have been made: inputs spent, nothing signed. It is kept, and
//! asked about for a week, should the mint have been wrong, or have lied; what it signed after all
//! is ours.
//!
//! Its counters are free at once, since whoever sends us spent tokens could else use up more of them
//! than a restore looks through.

use super::Wallet;
use super::failure::Failure;
use super::journal::journaled;
use crate::mint::operation::Operation;
use crate::mint::swap::Swap;
use crate::store::Change;

/// How long a buried swap is asked about, in seconds.
pub(super) const KEPT_SECONDS: u64 = 7 * 86_400;

impl Wallet {
    /// Takes the place of ending the swap.
    pub(super) fn bury(&self, swap: &Swap) -> Result<[Change; 2], Failure> {
        tracing::warn!(swap = %swap.id, "a mint says that this swap's inputs are spent and that it signed nothing; kept, and asked about again");
        Ok([
            journaled(&Operation::Swap(swap.buried((self.clock)())))?,
            Change::FreeCounters(swap.counters()),
        ])
    }
}
