//! Upkeep of the wallet's file: retires invoices, shrinks spent proofs, makes the due copy.
//!
//! Contacts no mint.

use crate::wallet::core::failure::Failure;
use crate::wallet::engine::journal::{operations, operations_given_up};
use crate::wallet::recovery::Recovery;

/// Time that a spent proof is kept whole, in seconds: 90 days.
const KEPT_WHOLE_SECONDS: u64 = 90 * 86_400;

/// Maximum number of spent proofs read in one pass.
const PART: usize = 5_000;

/// Position in the archive of spent proofs, by Y.
pub type SpentCursor = [u8; 33];

impl Recovery<'_> {
    /// Retires invoices that expired a week ago unpaid: they no longer count as open.
    ///
    /// # Errors
    /// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn retire_deposits(self) -> Result<(), Failure> {
        let core = self.0;
        Ok(core.store.retire_deposits((core.clock)()).await?)
    }

    /// Reads one part of the spent proofs, starting at `place`, and reduces those spent 90 days ago
    /// to their Y and time. Proofs that an operation, a sent token or a given-up record may still
    /// bring back stay whole. Returns the start of the next part; `None` after the last.
    ///
    /// # Errors
    /// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn shrink_spent(
        self,
        place: Option<SpentCursor>,
    ) -> Result<Option<SpentCursor>, Failure> {
        let core = self.0;
        let mut keep = core.store.token_ys().await?;
        for operation in operations(core).await?.into_iter().chain(operations_given_up(core).await?)
        {
            keep.extend(operation.input_ys()?);
        }
        let before = (core.clock)().saturating_sub(KEPT_WHOLE_SECONDS);
        Ok(core.store.shrink_archive(place, PART, before, keep).await?)
    }

    /// Makes the copy of the wallet's file that was due at opening, if any.
    ///
    /// # Cancel safety
    /// Safe to drop: the copy continues until the wallet's file is closed.
    pub async fn copy_file(self) {
        if let Err(error) = self.0.store.make_due_copy().await {
            tracing::warn!(%error, "no copy of the wallet's file could be made");
        }
    }
}
