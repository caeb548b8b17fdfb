//! Asks the owner's policy about a payment, with the current ledger or the one a transaction reads.
//!
//! Reserves nothing; only the door does.

use crate::model::id::PaymentId;
use crate::model::ledger::Ledger;
use crate::policy::{Ask, Denial, Policy};
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::core::in_flight::Gone;
use crate::wallet::execution::planned::{Draft, Planned};

/// Step 2 (`deny?`): refuses what no quote could make admissible.
pub(crate) async fn deny(core: &Core, setup: &Setup, draft: &Draft) -> Result<(), Failure> {
    let now = (core.clock)();
    let ledger = ledger_for(core, draft, now).await?;
    setup
        .policy
        .precheck(&ask(draft, 0, 0, None), &ledger, now)
        .map_err(|denial| denied(denial, &setup.policy, &draft.agent, &ledger))
}

/// Reads the ledger for this draft, with similar payments marked by [`doubt_lookalikes`].
async fn ledger_for(core: &Core, draft: &Draft, now: u64) -> Result<Ledger, Failure> {
    let mut ledger = core.store.ledger(&draft.agent, Some(draft.probe()), now).await?;
    doubt_lookalikes(core, &mut ledger, &draft.id);
    Ok(ledger)
}

/// Checks whether step 4 would admit the payment now with this input fee. Called before a swap that
/// costs a fee of its own.
pub(super) async fn would_admit(
    core: &Core,
    planned: &Planned,
    input_fee_sats: u64,
) -> Result<(), Failure> {
    let (setup, now) = (core.setup().await?, (core.clock)());
    let ledger = ledger_for(core, &planned.draft, now).await?;
    let fees = planned
        .need_sats()
        .saturating_add(input_fee_sats)
        .saturating_sub(planned.draft.amount_sats);
    let ask = ask(&planned.draft, fees, input_fee_sats, planned.max_fee_sats);
    let decided = setup.policy.decide(&ask, &ledger, now);
    decided.map_err(|denial| denied(denial, &setup.policy, &planned.draft.agent, &ledger))
}

/// Marks similar payments as undelivered if their callers are gone, even before that is recorded.
pub(crate) fn doubt_lookalikes(core: &Core, ledger: &mut Ledger, this: &PaymentId) {
    let live = core.live();
    ledger.lookalikes.retain(|one| one.id != *this);
    for one in &mut ledger.lookalikes {
        one.outcome_undelivered |= live.get(&one.id).is_some_and(Gone::is_gone);
    }
}

pub(crate) fn ask(
    draft: &Draft,
    fee_ceiling_sats: u64,
    input_fee_sats: u64,
    caller_max_fee_sats: Option<u64>,
) -> Ask<'_> {
    Ask {
        agent: &draft.agent,
        amount_sats: draft.amount_sats,
        fee_ceiling_sats,
        input_fee_sats,
        caller_max_fee_sats,
        repeat_of: draft.repeat_of.as_ref(),
        invoice: draft.is_of_invoice(),
    }
}

/// Builds the failure of a denial, with the rest of the daily limit if a limit was the reason.
pub(crate) fn denied(denial: Denial, policy: &Policy, agent: &str, ledger: &Ledger) -> Failure {
    let of_a_limit = matches!(denial, Denial::OverPaymentLimit { .. } | Denial::FeeTooHigh { .. });
    let left_sats = of_a_limit.then(|| policy.left_today(agent, ledger));
    Cause::Denied { denial, left_sats }.into()
}
