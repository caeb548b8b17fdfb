//! Startup recovery: ends what a crash cut short; what needs a mint is left to `settle`.
//!
//! [`Recovery::finish_startup`] contacts no mint and may itself be killed anywhere.

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

/// Time limit for the mints' answers at opening; the recheck then continues in the background.
const PATIENCE: Duration = Duration::from_secs(10);

impl Recovery<'_> {
    /// Rechecks the mints that may not be used yet, before anything else when the wallet is opened.
    /// Waits up to 10 s; the recheck then continues in the background.
    pub async fn begin_recheck(self) {
        let core = self.0;
        let owned = core.clone();
        let asked = core
            .run_to_end(PATIENCE, async move { recheck(&owned, Which::Unchecked, |_| ()).await })
            .await;
        match asked {
            Some(Err(error)) => tracing::error!(%error, "the mints could not be rechecked"),
            None => tracing::warn!("the recheck of the mints continues in the background"),
            Some(Ok(_)) => {}
        }
    }

    /// Asks mints which proofs they have signed, over all keysets and devices. A mint that does not
    /// answer is left for the next time.
    ///
    /// # Errors
    /// [`Cause::Settings`], and those of the store.
    ///
    /// # Cancel safety
    /// Safe to drop: findings so far are recorded, and the next call finds the rest.
    pub async fn recheck(
        self,
        which: Which,
        told: impl Fn(Step<'_>) + Send + Sync,
    ) -> Result<Restored, Failure> {
        recheck(self.0, which, told).await
    }
}

impl Recovery<'_> {
    /// Ends what a crash cut short. Call once at start, first; [`Recovery::settle`] ends the rest.
    ///
    /// # Errors
    /// [`Cause::Store`].
    pub async fn finish_startup(self) -> Result<(), Failure> {
        let core = self.0;
        index_operations(core).await?;
        for payment in core.store.open_payments().await? {
            orphan(core, payment).await?;
        }
        refuse_unbegun(core).await?;
        // This read starts the 24-hour window of outflows recorded while the clock ran ahead.
        core.store.ledger("", None, (core.clock)()).await?;
        Ok(())
    }
}

/// Handles a payment whose process ended: it failed if nothing can have been sent.
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

/// Refuses received tokens whose swap was never journaled: nothing was redeemed.
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
