//! Detects a payment that may repeat an earlier one by mistake.
//!
//! There are two rules. An equal payment within ten minutes is refused unless the caller names the
//! earlier one in `repeat_of`. An equal payment whose caller may not know its outcome blocks the
//! new one until a person allows it.

use crate::model::history_line::EntryState;
use crate::model::ledger::{Ledger, Lookalike, REPEAT_SECONDS};

use super::{Ask, Denial};

/// Refuses a payment that looks like a repeat.
///
/// # Errors
/// [`Denial::PossibleDuplicate`] with the newest earlier payment that blocks this one.
pub(super) fn check(ask: &Ask<'_>, ledger: &Ledger) -> Result<(), Denial> {
    let in_doubt = ledger.lookalikes.iter().find(|one| one.outcome_undelivered && money_left(one));
    if let Some(one) = in_doubt {
        return Err(denial(one, true));
    }
    if ask.invoice {
        return Ok(());
    }
    let recent =
        ledger.lookalikes.iter().find(|one| one.age_seconds <= REPEAT_SECONDS && money_left(one));
    match recent {
        Some(one) if ask.repeat_of != Some(&one.id) => Err(denial(one, false)),
        _ => Ok(()),
    }
}

/// Returns whether the payment's money left or may still leave. After a payment that failed or was
/// returned, an equal one is not a duplicate.
fn money_left(one: &Lookalike) -> bool {
    matches!(one.state, EntryState::Pending | EntryState::Settled)
}

fn denial(one: &Lookalike, person_only: bool) -> Denial {
    Denial::PossibleDuplicate {
        id: one.id.clone(),
        state: one.state,
        age_seconds: one.age_seconds,
        person_only,
    }
}
