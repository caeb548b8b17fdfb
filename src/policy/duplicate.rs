//! Is this the same payment again, by mistake?
//!
//! Two rules: an equal payment within ten minutes, which the caller may excuse by naming it; and an
//! equal payment whose caller may not know its outcome, which only a person may excuse.

use crate::model::history_line::EntryState;
use crate::model::ledger::{Ledger, Lookalike, REPEAT_SECONDS};

use super::{Ask, Denial};

/// # Errors
/// [`Denial::PossibleDuplicate`], naming the newest payment that stands in the way.
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

/// Its money left or may be leaving; of one that failed or came back, an equal payment repeats
/// nothing.
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
