//! Payments in the journal: one transaction admits them, and indexes find them by hash, by key, or
//! as open, without a scan.
//!
//! Never decides to admit: the caller's `decide` does, in the same transaction that writes the
//! intent.

use redb::{Durability, Key, ReadableTable, TableDefinition, WriteTransaction};

use super::commit::apply_all;
use super::error::{self, StoreError};
use super::history::{self, HistoryEntry};
use super::tables::{OUTFLOWS, PAYMENT_BY_HASH, PAYMENT_BY_KEY, PAYMENTS, PAYMENTS_OPEN, Reads};
use super::{Change, Store, TxDecision, ledger, row};
use crate::model::id::PaymentId;
use crate::model::ledger::Ledger;
use crate::model::mint::MoneyKind;
use crate::model::payment::{Payment, PaymentState};

/// Outcome of an admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission<D> {
    /// The intent is durable; this is its row.
    Admitted(Payment),
    /// The journal already has it: open, decided, or failed under another id than the caller's.
    /// Nothing was written.
    Known(Payment),
    /// `decide` refused. Nothing was written.
    Denied(D),
}

pub(super) fn get(tx: &impl Reads, id: &str) -> Result<Option<Payment>, StoreError> {
    row::get(tx, PAYMENTS, id)
}

/// Returns the payment that an index points to; an index entry without its row is an error.
fn through<'k, K: Key + 'static>(
    tx: &impl Reads,
    index: TableDefinition<'static, K, &'static str>,
    key: K::SelfType<'k>,
) -> Result<Option<Payment>, StoreError> {
    let id = tx.table(index)?.get(key)?.map(|id| id.value().to_owned());
    id.map(|id| get(tx, &id)?.ok_or(StoreError::Missing("payment of an index"))).transpose()
}

pub(super) fn open(tx: &impl Reads) -> Result<Vec<Payment>, StoreError> {
    let mut found = Vec::new();
    for entry in tx.table(PAYMENTS_OPEN)?.iter()? {
        let (id, _) = entry?;
        found.push(get(tx, id.value())?.ok_or(StoreError::Missing("payment of an index"))?);
    }
    Ok(found)
}

/// Writes a payment's row and updates every index.
pub(super) fn put(tx: &WriteTransaction, payment: &Payment) -> Result<(), StoreError> {
    let id = payment.id.as_str();
    let before = get(tx, id)?;
    if payment.is_open() {
        tx.open_table(PAYMENTS_OPEN)?.insert(id, ())?;
    } else {
        tx.open_table(PAYMENTS_OPEN)?.remove(id)?;
    }
    let left = |payment: &Payment| if payment.is_open() { None } else { payment.outflow() };
    let (left_before, left_now) = (before.as_ref().and_then(left), left(payment));
    if left_before != left_now {
        let mut outflows = tx.open_table(OUTFLOWS)?;
        let same_time = left_before.map(|(at, _)| at) == left_now.map(|(at, _)| at);
        let row = match left_before {
            Some((at, _)) => outflows.remove((at, id))?.map(|row| row.value().0),
            None => None,
        };
        // If the outflow's time is unchanged, keep the note of when it was first seen ahead of the
        // clock, and do not recreate a row that was removed because of it.
        if let Some((at, sats)) = left_now
            && (!same_time || row.is_some())
        {
            let seen_ahead = row.flatten().filter(|_| same_time);
            let is_play = payment.money == MoneyKind::Play;
            outflows.insert(
                (at, id),
                (seen_ahead, sats, payment.amount_sats, is_play, payment.agent.as_str()),
            )?;
        }
    }
    if let Some(hash) = payment.payment_hash() {
        tx.open_table(PAYMENT_BY_HASH)?.insert(hash, id)?;
    }
    // The keys of earlier attempts stay, so that a repeat of one finds this payment.
    if let Some(key) = &payment.key {
        tx.open_table(PAYMENT_BY_KEY)?.insert((payment.agent.as_str(), key.as_str()), id)?;
    }
    history::update(
        tx,
        before.as_ref().map(HistoryEntry::of_payment).as_ref(),
        &HistoryEntry::of_payment(payment),
    )?;
    row::put_packed(tx, PAYMENTS, id, payment)
}

/// Returns whether a payment may go from one state to another. A decided payment never becomes
/// open, and a decision is final. Only [`Store::take_up`] reopens a given-up payment, with its
/// operations; a late answer of its mint still counts.
fn may_become(before: &PaymentState, after: &PaymentState) -> bool {
    use PaymentState::{Failed, GivenUp, Reserved, Returned, Sent, Settled};
    match (before, after) {
        (Reserved, _) => !matches!(after, Returned { .. }),
        (Sent { .. }, Sent { .. } | GivenUp { .. } | Settled { .. } | Failed { .. }) => true,
        (GivenUp { .. }, GivenUp { .. } | Settled { .. } | Failed { .. }) => true,
        (Settled { .. }, Settled { .. } | Returned { .. }) => true,
        (Failed { .. }, Failed { .. }) | (Returned { .. }, Returned { .. }) => true,
        _ => false,
    }
}

/// Writes a payment that was already admitted.
pub(super) fn update(tx: &WriteTransaction, payment: &Payment) -> Result<(), StoreError> {
    let to = error::word(&payment.state);
    let before =
        get(tx, payment.id.as_str())?.ok_or(StoreError::Transition { from: "nothing", to })?;
    if !may_become(&before.state, &payment.state) {
        return Err(StoreError::Transition { from: error::word(&before.state), to });
    }
    put(tx, payment)
}

/// Finds what the journal has under this payment's id, hash or key; failures, which may be tried
/// again, come last.
fn known(tx: &impl Reads, payment: &Payment) -> Result<Vec<Payment>, StoreError> {
    let mut found: Vec<Payment> = Vec::new();
    found.extend(get(tx, payment.id.as_str())?);
    if let Some(hash) = payment.payment_hash() {
        found.extend(through(tx, PAYMENT_BY_HASH, hash)?);
    }
    if let Some(key) = &payment.key {
        found.extend(through(tx, PAYMENT_BY_KEY, (payment.agent.as_str(), key.as_str()))?);
    }
    found.sort_by_key(|known| matches!(known.state, PaymentState::Failed { .. }));
    Ok(found)
}

impl Store {
    /// Admits a payment in one durable transaction: looks it up by hash (of any agent) and by
    /// (agent, key), folds the ledger, calls `decide`, and writes the intent together with
    /// `beside`. The payment's state is `Reserved`, or `Sent` if `beside` contains the row of a
    /// request that may be sent from then on. A failed payment is tried again under its own id,
    /// which the caller sets: `attempt` counts up and `created_at` stays.
    ///
    /// # Errors
    /// If the file cannot be read or written; then nothing is admitted.
    pub async fn admit<D: Send + 'static>(
        &self,
        mut payment: Payment,
        now: u64,
        beside: Vec<Change>,
        decide: impl FnOnce(&Ledger) -> Result<(), D> + Send + 'static,
    ) -> Result<Admission<D>, StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            payment.attempt = 1;
            for known in known(tx, &payment)? {
                let again =
                    matches!(known.state, PaymentState::Failed { .. }) && known.id == payment.id;
                if !again {
                    return Ok(TxDecision::Abort(Admission::Known(known)));
                }
                payment.attempt = known.attempt.saturating_add(1);
                payment.created_at = known.created_at;
            }
            let probe = (payment.kind.name(), payment.payee.clone(), payment.amount_sats);
            let (ledger, _) = ledger::fold(tx, &payment.agent, Some(&probe), now)?;
            if let Err(denial) = decide(&ledger) {
                return Ok(TxDecision::Abort(Admission::Denied(denial)));
            }
            put(tx, &payment)?;
            apply_all(tx, inner, beside)?;
            Ok(TxDecision::Commit(Admission::Admitted(payment)))
        })
        .await
    }

    /// Looks up a payment by its id.
    ///
    /// # Errors
    /// If the file cannot be read; the same holds for all lookups.
    pub async fn payment(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        let id = id.clone();
        self.read(move |tx| get(tx, id.as_str())).await
    }

    /// Looks up the payment of an invoice, by any agent. `hash` is lower-case hex.
    ///
    /// # Errors
    /// See [`Store::payment`].
    pub async fn payment_by_hash(&self, hash: &str) -> Result<Option<Payment>, StoreError> {
        let hash = hash.to_owned();
        self.read(move |tx| through(tx, PAYMENT_BY_HASH, &hash)).await
    }

    /// Looks up the payment that an agent requested under a key.
    ///
    /// # Errors
    /// See [`Store::payment`].
    pub async fn payment_by_key(
        &self,
        agent: &str,
        key: &str,
    ) -> Result<Option<Payment>, StoreError> {
        let (agent, key) = (agent.to_owned(), key.to_owned());
        self.read(move |tx| through(tx, PAYMENT_BY_KEY, (agent.as_str(), key.as_str()))).await
    }

    /// Lists an agent's payments whose keys begin with `prefix`, in key order, at most `limit`.
    ///
    /// # Errors
    /// See [`Store::payment`].
    pub async fn payments_by_prefix(
        &self,
        agent: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<Payment>, StoreError> {
        let (agent, prefix) = (agent.to_owned(), prefix.to_owned());
        self.read(move |tx| {
            let (index, mut found) = (tx.table(PAYMENT_BY_KEY)?, Vec::new());
            for entry in index.range((agent.as_str(), prefix.as_str())..)? {
                let (key, id) = entry?;
                let (of, name) = key.value();
                if of != agent || !name.starts_with(&prefix) || found.len() >= limit {
                    break;
                }
                found.extend(get(tx, id.value())?);
            }
            Ok(found)
        })
        .await
    }

    /// Lists every payment that may still move value.
    ///
    /// # Errors
    /// See [`Store::payment`].
    pub async fn open_payments(&self) -> Result<Vec<Payment>, StoreError> {
        self.read(open).await
    }
}
