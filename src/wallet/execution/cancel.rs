//! The end of a dead melt: its coins are swapped away from it (NUT-03), so that the mint cannot pay
//! it any more.
//!
//! Never begins before the mint has called the quote unpaid, and a minute has passed since the
//! request of which nobody has the answer.

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

/// How old an unpaid melt without an exchange must be before its coins are swapped away, in
/// seconds.
const CANCEL_AFTER_SECONDS: u64 = 60;

/// The mint says unpaid and nobody carries the request: swaps its coins away, so that it cannot
/// be paid any more.
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
    // Where relays show our coins, another device taking some is nothing unusual. Elsewhere the
    // mint must have said so for long.
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

/// What swapping a melt's coins away came to. Refused or spent: the mint's word on the quote
/// decides in a later round.
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
                tracing::warn!(payment = %payment.id, "its mint called it paid, and has given its coins back");
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
