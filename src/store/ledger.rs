//! The fold that limits are judged by: open payments, and what left within the rolling day, from the index of outflows.
//!
//! Never a counter kept beside the payments, and never a scan of all of them.

use std::cmp::Reverse;
use std::collections::HashSet;

use redb::ReadableTable;

use super::Store;
use super::error::StoreError;
use super::tables::{OUTFLOWS, Reads};
use super::{meta, payments};
use crate::model::id::PaymentId;
use crate::model::ledger::{DAY_SECONDS, Ledger, Lookalike, REPEAT_SECONDS, state_word};
use crate::model::mint::MoneyKind;
use crate::model::payment::{Payment, PaymentKind, PaymentState};

/// The payment at hand: its kind, payee and amount.
pub(super) type Probe = (PaymentKind, String, u64);

/// Folds the ledger of `agent` at `now`; lookalikes are filled for `probe`, newest first.
pub(super) fn fold(tx: &impl Reads, agent: &str, probe: Option<&Probe>, now: u64) -> Result<Ledger, StoreError> {
    let mut ledger = Ledger::default();
    let meta = meta::get(tx)?;
    let real = meta.real;
    ledger.full_until = meta.window_full_until.filter(|until| *until > now);
    let mut alike: Vec<(u64, Lookalike)> = Vec::new();
    let mut repeated: HashSet<PaymentId> = HashSet::new();
    let mut take = |payment: &Payment| {
        // What left while the wallet was a play wallet spends nothing of a real limit.
        if real && payment.money == MoneyKind::Play {
            return;
        }
        ledger.take(payment, agent, now);
        if probe.is_some_and(|probe| repeats(probe, payment, now)) {
            alike.push((payment.created_at, lookalike(payment, now)));
            repeated.extend(payment.repeat_of.clone());
        }
    };
    payments::open(tx)?.iter().for_each(&mut take);
    for entry in tx.table(OUTFLOWS)?.range((now.saturating_sub(DAY_SECONDS), "")..)? {
        let (key, _) = entry?;
        take(&payments::get(tx, key.value().1)?.ok_or(StoreError::Missing("payment of an index"))?);
    }
    // Of one second, a repeat is newer than what it repeats.
    alike.sort_by_key(|(created_at, one)| (Reverse(*created_at), repeated.contains(&one.id)));
    ledger.lookalikes = alike.into_iter().map(|(_, lookalike)| lookalike).collect();
    Ok(ledger)
}

fn repeats((kind, payee, amount): &Probe, payment: &Payment, now: u64) -> bool {
    let same = payment.kind == *kind && payment.payee == *payee && payment.amount_sats == *amount;
    let window = if payment.caller_in_doubt { DAY_SECONDS } else { REPEAT_SECONDS };
    same && (payment.is_open() || payment.outflow().is_some_and(|(at, _)| at.saturating_add(window) > now))
}

fn lookalike(payment: &Payment, now: u64) -> Lookalike {
    Lookalike {
        id: payment.id.clone(),
        state: state_word(&payment.state),
        age_seconds: now.saturating_sub(left_at(payment)),
        caller_in_doubt: payment.caller_in_doubt,
    }
}

/// When its money left or was held back: a payment that failed first is as old as the try that did not.
fn left_at(payment: &Payment) -> u64 {
    match payment.state {
        PaymentState::Sent { since, .. } | PaymentState::GivenUp { since, .. } => since,
        PaymentState::Settled { at, .. } | PaymentState::Returned { at, .. } => at,
        PaymentState::Reserved | PaymentState::Failed { .. } => payment.created_at,
    }
}

impl Store {
    /// The ledger of an agent at `now`, with the lookalikes of a (kind, payee, amount). Reads only.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn ledger(&self, agent: &str, probe: Option<(PaymentKind, String, u64)>, now: u64) -> Result<Ledger, StoreError> {
        let agent = agent.to_owned();
        self.read(move |tx| fold(tx, &agent, probe.as_ref(), now)).await
    }
}
