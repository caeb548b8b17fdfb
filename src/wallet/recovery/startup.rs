//! Start-up recovery: ends what a crash cut short, once, before anything else. What needs a mint is
//! left to `settle`.
//!
//! Contacts no mint. May itself be killed anywhere.

use std::time::Duration;

use crate::mint::swap::SwapPurpose;
use crate::model::payment::{Payment, PaymentState};
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::core::record_state::record_failure;
use crate::wallet::engine::journal::{index_operations, swap_for};
use crate::wallet::engine::receive::refuse;
use crate::wallet::engine::recheck::{Restored, Step, Which, recheck};
use crate::wallet::recovery::Recovery;

/// How long an opening waits for mints to be asked; then it goes on without them.
const PATIENCE: Duration = Duration::from_secs(10);

impl Recovery<'_> {
    /// Asks, and waits for it a little; what is not done then goes on. For the opening, before
    /// anything else.
    pub async fn begin_recheck(self) {
        let core = self.0;
        let owned = core.clone();
        let asked = core
            .run_to_end(PATIENCE, async move { recheck(&owned, Which::Unchecked, |_| ()).await })
            .await;
        match asked {
            Some(Err(error)) => tracing::error!(%error, "the mints were not asked what they hold"),
            None => tracing::warn!("the mints are still being asked what they hold"),
            Some(Ok(_)) => {}
        }
    }

    /// Asks the mints for what they have signed, over all keysets and devices. A mint that does not
    /// answer is left for the next time.
    ///
    /// # Errors
    /// [`Cause::Settings`], and those of the store.
    ///
    /// # Cancel safety
    /// Safe to drop: what was found is recorded, and the rest is found the next time.
    pub async fn recheck(
        self,
        which: Which,
        told: impl Fn(Step<'_>) + Send + Sync,
    ) -> Result<Restored, Failure> {
        recheck(self.0, which, told).await
    }
}

impl Recovery<'_> {
    /// Ends what a crash cut short. Once, at start, before anything else; what cannot be ended now
    /// is left to [`Recovery::settle`].
    ///
    /// # Errors
    /// [`Cause::Store`]. A mint that does not answer is no error.
    pub async fn finish_startup(self) -> Result<(), Failure> {
        let core = self.0;
        index_operations(core).await?;
        for payment in core.store.open_payments().await? {
            orphan(core, payment).await?;
        }
        refuse_unbegun(core).await?;
        // The day begins for what was paid under a clock that was ahead.
        core.store.ledger("", None, (core.clock)()).await?;
        Ok(())
    }
}

/// A payment that was open when the process ended: its caller is gone; if nothing can have
/// left, it failed.
async fn orphan(core: &Core, mut payment: Payment) -> Result<(), Failure> {
    payment.outcome_undelivered = true;
    let made = swap_for(core, &SwapPurpose::Send(payment.id.clone())).await?;
    if payment.state == PaymentState::Reserved && made.is_none() {
        let unsent = Cause::NeverSent { receive: false };
        record_failure(core, payment, unsent.into(), Vec::new()).await;
        return Ok(());
    }
    Ok(core.store.commit(vec![Change::Payment(payment)]).await?)
}

/// Tokens whose swap was never journaled: nothing was taken.
async fn refuse_unbegun(core: &Core) -> Result<(), Failure> {
    for receive in core.store.open_receives().await? {
        let purpose = SwapPurpose::Receive(receive.id.clone());
        if swap_for(core, &purpose).await?.is_none() {
            let unsent = Cause::NeverSent { receive: true };
            let _told = refuse(core, receive, Vec::new(), unsent.into()).await;
        }
    }
    Ok(())
}
