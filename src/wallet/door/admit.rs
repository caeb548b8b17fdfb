//! Steps 3 to 7 of the door: choosing proofs, admitting a payment, executing it.
//!
//! `known?` and `deny?` contact nobody. `admit` is one durable transaction; inside it, the policy
//! decides from the ledger that the same transaction reads. From coin selection to `record`
//! everything runs on a tracked task that outlives the caller. No other code makes value leave the
//! wallet.

use tokio::time::Duration;

use crate::mint::melt::Melt;
use crate::mint::operation::Operation;
use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentState};
use crate::store::{Admission, Change};
use crate::wallet::core::Core;
use crate::wallet::core::deadline::Deadline;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::core::in_flight::{Gone, Waiting, carry};
use crate::wallet::engine::journal::journaled;
use crate::wallet::execution::coin_selection::{Inputs, take_inputs, take_place};
use crate::wallet::execution::judge::{ask, denied, doubt_lookalikes};
use crate::wallet::execution::melt;
use crate::wallet::execution::planned::{Execution, Planned};
use crate::wallet::execution::token::make_token;
use crate::wallet::proofs::changes;

/// Time after which a melt's request counts as sent and another melt may start at this mint.
const LEAVING: Duration = Duration::from_millis(500);

/// Runs steps 3 (coin selection) to 7. Returns the payment once it ends, or its current state when
/// the caller's time is up.
///
/// # Cancel safety
/// Safe to drop: the payment continues and is marked as one whose outcome may not have been seen.
pub(crate) async fn spend(
    core: &Core,
    planned: Planned,
    until: Deadline,
) -> Result<Payment, Failure> {
    let gone = Gone::default();
    let waiting = Waiting::new(gone.clone());
    let (owned, id) = (core.clone(), planned.draft.id.clone());
    let wait = until.left().max(Duration::from_millis(100));
    let this = gone.clone();
    let done = core.run_to_end(wait, async move { carry_out(&owned, planned, gone).await }).await;
    drop(waiting);
    match done {
        Some(outcome) => outcome,
        None => as_admitted(core, &id).await?.ok_or_else(|| this.too_late()),
    }
}

/// Returns the payment if it has been admitted. The barrier waits for an admission that is being
/// written; later admissions see that the caller is gone and are denied.
async fn as_admitted(core: &Core, id: &PaymentId) -> Result<Option<Payment>, Failure> {
    core.store.barrier().await?;
    Ok(core.store.payment(id).await?)
}

async fn carry_out(core: &Core, mut planned: Planned, gone: Gone) -> Result<Payment, Failure> {
    let place = take_place(&planned).await?;
    let (turn, inputs) = take_inputs(core, &planned, &gone).await?;
    let _carried = carry(core, &planned.draft.id, gone.clone());
    match planned.execution.clone() {
        Execution::Melt(quote) => {
            let id = planned.draft.id.clone();
            let proofs = inputs.coins.proofs.clone();
            let mut melt = planned.mint.plan_melt(id, &quote, proofs, &turn).await?;
            melt.prepared_sats = inputs.prepared_sats;
            let payment = match admit(core, &mut planned, &inputs, Some(&melt), gone).await? {
                Admission::Admitted(payment) => payment,
                Admission::Known(payment) => return Ok(payment),
                Admission::Denied(failure) => return Err(failure),
            };
            // The inputs are reserved and the counters used: the next payment may select proofs
            // while this one is under way.
            drop(turn);
            let mut melted = std::pin::pin!(melt::melt(core, payment, &planned.mint, melt));
            let ended = tokio::select! {
                ended = &mut melted => ended,
                // The request has been sent. Lightning may take long and must not delay other
                // payments.
                () = tokio::time::sleep(LEAVING) => {
                    drop(place);
                    melted.await
                }
            };
            core.wake();
            ended
        }
        Execution::Token { lock_to, memo } => {
            let payment = match admit(core, &mut planned, &inputs, None, gone).await? {
                Admission::Admitted(payment) => payment,
                Admission::Known(payment) => return Ok(payment),
                Admission::Denied(failure) => return Err(failure),
            };
            let ended = make_token(core, payment, &planned.mint, lock_to, memo, inputs, turn).await;
            core.wake();
            ended
        }
    }
}

/// Step 4: creates the payment. The transaction that reserves the money also reads the ledger and
/// applies the policy. It also writes a melt's operation, inputs and counters, so its request may
/// be sent afterwards.
async fn admit(
    core: &Core,
    planned: &mut Planned,
    inputs: &Inputs,
    melt: Option<&Melt>,
    gone: Gone,
) -> Result<Admission<Failure>, Failure> {
    let now = (core.clock)();
    let fees = planned.fee_reserve_sats().saturating_add(inputs.fee_sats);
    let state = match melt {
        Some(_) => PaymentState::Sent { since: now, acknowledged: false },
        None => PaymentState::Reserved,
    };
    let payment = planned.to_payment(planned.draft.amount_sats.saturating_add(fees), state);
    let (owned, draft) = (core.clone(), planned.draft.clone());
    let (max_fee, input_fee) = (planned.max_fee_sats, inputs.fee_sats);
    let beside = match melt {
        Some(melt) => vec![
            changes::reserve(melt.input_ys()?, melt.id),
            Change::UseCounters(melt.counters()),
            journaled(&Operation::Melt(melt.clone()))?,
        ],
        None => Vec::new(),
    };
    let admission = core
        .store
        .admit(payment, now, beside, move |ledger| {
            if gone.is_gone() {
                return Err(Cause::CallerGone.into());
            }
            let policy = owned.rules.current()?;
            let mut ledger = ledger.clone();
            doubt_lookalikes(&owned, &mut ledger, &draft.id);
            let decided = policy.decide(&ask(&draft, fees, input_fee, max_fee), &ledger, now);
            decided.map_err(|denial| denied(denial, &policy, &draft.agent, &ledger))
        })
        .await?;
    drop(planned.pass.take());
    Ok(admission)
}
