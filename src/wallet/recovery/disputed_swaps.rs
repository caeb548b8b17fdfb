//! Follows up disputed swaps: those whose mint reported the inputs as spent and nothing signed. A
//! swap is given up once another operation uses one of its counters: the mint's answer is then
//! about that one.
//!
//! Never makes a request that could spend anything.

use crate::mint::operation::Operation;
use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose};
use crate::model::payment::PaymentState;
use crate::model::receive::ReceiveState;
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::engine::dispute::KEPT_SECONDS;
use crate::wallet::engine::journal::{as_journaled, operations};
use crate::wallet::execution::cancel::end_cancel;
use crate::wallet::proofs::changes;

/// Returns whether another operation made, or is making, proofs with one of its counters.
async fn is_used_again(core: &Core, swap: &Swap) -> Result<bool, Failure> {
    let ys = Operation::Swap(swap.clone()).output_ys()?;
    for other in operations(core).await?.iter().filter(|other| other.id() != swap.id) {
        if other.output_ys()?.iter().any(|y| ys.contains(y)) {
            return Ok(true);
        }
    }
    Ok(!core.store.proofs(ys).await?.is_empty())
}

/// Asks the mint about a disputed swap. `of` is the swap's original purpose, `since` the Unix
/// seconds of the dispute.
pub(super) async fn look_for(
    core: &Core,
    seen: Swap,
    of: SwapPurpose,
    since: u64,
) -> Result<(), Failure> {
    let mint = core.mints.at(&seen.mint)?;
    let guard = mint.lock().await;
    let Some(mut swap) = as_journaled(core, &seen).await? else { return Ok(()) };
    if is_used_again(core, &swap).await? {
        return end_disputed(core, vec![Change::EndOperation(swap.id)]).await;
    }
    let outcome = mint.lookup_swap(&swap).await;
    swap.purpose = of;
    match outcome {
        SwapOutcome::Done { give, keep } => {
            tracing::warn!(swap = %swap.id, "a mint signed a disputed swap after all; its coins were added");
            core.store.commit(vec![Change::UseCounters(swap.counters())]).await?;
            drop(guard);
            end_as_made(core, &swap, SwapOutcome::Done { give, keep }).await
        }
        SwapOutcome::Refused(_)
            if matches!(swap.purpose, SwapPurpose::Send(_) | SwapPurpose::Split) =>
        {
            tracing::warn!(swap = %swap.id, "a mint reports the inputs of a disputed swap as unspent after all; they are spendable again");
            end_disputed(
                core,
                vec![changes::revive(swap.input_ys()?), Change::EndOperation(swap.id)],
            )
            .await
        }
        SwapOutcome::Refused(_) if matches!(swap.purpose, SwapPurpose::Cancel(_)) => {
            end_disputed(core, vec![Change::EndOperation(swap.id)]).await
        }
        SwapOutcome::SpentElsewhere | SwapOutcome::Refused(_)
            if since.saturating_add(KEPT_SECONDS) < (core.clock)() =>
        {
            tracing::warn!(swap = %swap.id, "a disputed swap stayed unresolved for a week; it is given up");
            end_disputed(core, vec![Change::EndOperation(swap.id)]).await
        }
        SwapOutcome::SpentElsewhere | SwapOutcome::Refused(_) | SwapOutcome::Unknown(_) => Ok(()),
    }
}

/// Ends the swap's purpose as a success, where still possible; otherwise adds the proofs.
async fn end_as_made(core: &Core, swap: &Swap, outcome: SwapOutcome) -> Result<(), Failure> {
    let SwapOutcome::Done { give, keep } = outcome else { return Ok(()) };
    let (now, fee_sats, sats) = ((core.clock)(), swap.fee_sats(), changes::total_sats(&keep));
    match &swap.purpose {
        SwapPurpose::Cancel(id) => {
            if let Some(payment) =
                core.store.payment(id).await?.filter(crate::model::payment::Payment::is_open)
            {
                return end_cancel(core, payment, swap, SwapOutcome::Done { give, keep }).await;
            }
        }
        SwapPurpose::Receive(id) => {
            if let Some(mut receive) = core.store.receive(id).await? {
                receive.state = ReceiveState::Received { at: now, received_sats: sats, fee_sats };
                return end_disputed(
                    core,
                    vec![
                        changes::made_after_all(give, keep),
                        Change::EndOperation(swap.id),
                        Change::Receive(receive),
                    ],
                )
                .await;
            }
        }
        SwapPurpose::Reclaim(id) => {
            if let Some(mut payment) = core.store.payment(id).await? {
                let made = if let PaymentState::Settled { fee_sats, .. } = payment.state {
                    fee_sats
                } else {
                    0
                };
                payment.state = PaymentState::Returned {
                    at: now,
                    reclaimed_sats: sats,
                    fee_sats: made.saturating_add(fee_sats),
                };
                let forget = Change::ForgetToken(payment.id.clone());
                let changes = vec![
                    changes::made_after_all(give, keep),
                    Change::EndOperation(swap.id),
                    forget,
                    Change::Payment(payment),
                ];
                return end_disputed(core, changes).await;
            }
        }
        SwapPurpose::Send(_)
        | SwapPurpose::Adopt
        | SwapPurpose::Nutzaps(_)
        | SwapPurpose::Split
        | SwapPurpose::Disputed { .. } => {}
    }
    end_disputed(core, vec![changes::made_after_all(give, keep), Change::EndOperation(swap.id)])
        .await
}

async fn end_disputed(core: &Core, changes: Vec<Change>) -> Result<(), Failure> {
    core.store.commit(changes).await?;
    core.changed();
    Ok(())
}
