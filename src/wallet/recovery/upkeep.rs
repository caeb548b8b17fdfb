//! What keeps the wallet's file small and safe: old invoices leave what is open, spent coins
//! shrink, and the copy that was due is made. Contacts no mint.

use crate::wallet::core::failure::Failure;
use crate::wallet::engine::journal::{operations, operations_given_up};
use crate::wallet::recovery::Recovery;

/// How long a spent coin is kept whole, in seconds: 90 days.
const KEPT_WHOLE_SECONDS: u64 = 90 * 86_400;

/// How many spent coins one look goes through.
const PART: usize = 5_000;

/// Where the next look at the spent coins begins.
pub type SpentCursor = [u8; 33];

impl Recovery<'_> {
    /// Takes invoices that ran out a week ago, and were not paid, out of what is open.
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

    /// Looks through a part of the spent coins, from `place` on: of a coin that was spent 90 days
    /// ago only its Y and the time are kept. Coins that an operation, a token handed out, or
    /// something that was given up may still bring back stay whole. Returns where the next part
    /// begins; `None`: that was the last.
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

    /// Makes the copy of the wallet's file that was due when it was opened, if one was.
    ///
    /// # Cancel safety
    /// Safe to drop: it goes on, until the wallet's file is let go.
    pub async fn copy_file(self) {
        if let Err(error) = self.0.store.make_due_copy().await {
            tracing::warn!(%error, "no copy of the wallet's file could be made");
        }
    }
}
