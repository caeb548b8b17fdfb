//! Cancels a dead melt: a swap (NUT-03) spends its proofs, so that the mint can no longer pay it.
//!
//! Starts only when the mint calls the quote unpaid and the unanswered request is a minute old.

use crate::mint::Mint;
use crate::mint::error::MintError;
use crate::mint::melt::Melt;
use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose, SwapSpec};
use crate::model::payment::{Payment, PaymentState};
use crate::model::subject::Subject;
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::core::record_state::record_failure;
use crate::wallet::engine::dispute::{KEPT_SECONDS, keep_disputed};
use crate::wallet::engine::journal::{is_journaled, melt_of, operations_of, to_swap};
use crate::wallet::engine::swap;
use crate::wallet::proofs::changes;
use crate::wallet::sync::adopt::{doubt_the_rest, spent_by_another};

/// Age from which the proofs of an unpaid, unanswered melt are swapped, in seconds.
const CANCEL_AFTER_SECONDS: u64 = 60;

/// Swaps the proofs of a melt that the mint calls unpaid and that this process is not executing.
pub(super) async fn cancel_melt(
    core: &Core,
    payment: Payment,
    mint: &Mint,
    melt: Melt,
) -> Result<(), Failure> {
    let (PaymentState::Sent { since, .. }, now) = (&payment.state, (core.clock)()) else {
        return Ok(());
    };
    let since = *since;
    if since.saturating_add(CANCEL_AFTER_SECONDS) > now {
        return Ok(());
    }
    let guard = mint.lock().await;
    let purpose = SwapPurpose::Cancel(payment.id.clone());
    let tried = |swap: &Swap| match &swap.purpose {
        SwapPurpose::Disputed { of, .. } => **of == purpose,
        other => *other == purpose,
    };
    let of = Subject::Payment(payment.id.clone());
    let swaps: Vec<Swap> =
        operations_of(core, &of).await?.into_iter().filter_map(to_swap).collect();
    if !is_journaled(core, melt.id).await? || swaps.iter().any(|swap| swap.purpose == purpose) {
        return Ok(());
    }
    // If Nostr is on, another device may simply have taken some of the proofs. If it is off, this
    // is checked only once the request is a week old.
    if core.nostr.is_some() || since.saturating_add(KEPT_SECONDS) < now {
        let held = core.store.proofs(melt.input_ys()?).await?;
        let spent = spent_by_another(mint, &melt.quote_id, &held).await?;
        if !spent.is_empty() && !mint.has_change(&melt).await? {
            let left = changes::ys(&held).into_iter().filter(|y| !spent.contains(y)).collect();
            let beside =
                vec![changes::spent(spent), changes::free(left), Change::EndOperation(melt.id)];
            record_failure(core, payment, MintError::SpentElsewhere.into(), beside).await;
            drop(guard);
            return doubt_the_rest(core, mint.address()).await;
        }
    }
    if swaps.iter().any(tried) {
        return Ok(());
    }
    let want = SwapSpec { purpose, give_sats: 0, lock_to: None, memo: None };
    let (swap, outcome) =
        swap::swap(core, mint, melt.inputs(), want, |_| Ok(Vec::new()), &guard).await?;
    drop(guard);
    end_cancel(core, payment, &swap, outcome).await
}

/// Records the outcome of the swap. After a refusal or spent inputs, the quote's state decides in a
/// later round.
pub(crate) async fn end_cancel(
    core: &Core,
    payment: Payment,
    swap: &Swap,
    outcome: SwapOutcome,
) -> Result<(), Failure> {
    match outcome {
        SwapOutcome::Done { keep, .. } => {
            let mut beside = changes::swapped(swap, keep)?;
            if let Some(melt) = melt_of(core, &payment.id).await? {
                beside
                    .extend([Change::EndOperation(melt.id), Change::FreeCounters(melt.counters())]);
            }
            let payment = core.store.payment(&payment.id).await?.unwrap_or(payment);
            if !payment.is_open() {
                tracing::warn!(payment = %payment.id, "the mint called this payment paid, yet returned its coins");
                return Ok(core.store.commit(beside).await?);
            }
            record_failure(core, payment, Cause::CameBack.into(), beside).await;
            Ok(())
        }
        SwapOutcome::Refused(error) => Ok(core.store.commit(swap::refused(swap, &error)).await?),
        SwapOutcome::SpentElsewhere => {
            Ok(core.store.commit(keep_disputed(core, swap)?.into()).await?)
        }
        SwapOutcome::Unknown(_) => Ok(()),
    }
}
