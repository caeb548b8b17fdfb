//! Payments and received tokens that the owner has given up, because no answer of their mint can
//! end them any more. Their operations are kept outside the journal and their proofs in the
//! archive, until the owner resumes them.
//!
//! Never decides the outcome, and deletes nothing.

use cdk_common::nuts::{PublicKey, State};
use redb::{Durability, WriteTransaction};
use uuid::Uuid;

use super::commit::apply_all;
use super::error::{self, StoreError};
use super::tables::{GIVEN_UP, JOURNAL};
use super::{Change, Store, TxDecision, archive, payments, receives};
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::{Receive, ReceiveState};

/// A payment or a received token of unknown outcome, with its new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenRecord {
    /// A payment.
    Payment(Payment),
    /// A received token.
    Receive(Receive),
}

impl Store {
    /// Gives up a record, durably: stores `what` in its new state, moves its operations out of the
    /// journal and their proofs into the archive.
    ///
    /// # Errors
    /// [`StoreError::Transition`] if it was decided in the meantime, or when the file cannot be
    /// written; then nothing has changed.
    pub async fn give_up(
        &self,
        what: OpenRecord,
        operations: Vec<Uuid>,
        ys: Vec<PublicKey>,
    ) -> Result<(), StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            let what = match what {
                OpenRecord::Payment(payment) => Change::Payment(payment),
                OpenRecord::Receive(receive) => {
                    let before =
                        receives::get(tx, receive.id.as_str())?.map(|receive| receive.state);
                    refuse_unless(before == Some(ReceiveState::Open), "decided", "given up")?;
                    Change::Receive(receive)
                }
            };
            rest(tx, &operations)?;
            let away = Change::ProofState { ys, expect: None, to: State::Spent, operation: None };
            apply_all(tx, inner, vec![away, what])?;
            Ok(TxDecision::Commit(()))
        })
        .await
    }

    /// Takes up a given-up record, durably: stores `what` as open, and moves its operations back
    /// into the journal, where they hold their proofs, if any.
    ///
    /// # Errors
    /// See [`Store::give_up`].
    pub async fn take_up(
        &self,
        what: OpenRecord,
        operations: Vec<(Uuid, Vec<PublicKey>)>,
    ) -> Result<(), StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            match what {
                OpenRecord::Payment(payment) => {
                    let before =
                        payments::get(tx, payment.id.as_str())?.map(|payment| payment.state);
                    let word = before.as_ref().map_or("nothing", error::word);
                    refuse_unless(
                        matches!(before, Some(PaymentState::GivenUp { .. })),
                        word,
                        "pending",
                    )?;
                    payments::put(tx, &payment)?;
                }
                OpenRecord::Receive(receive) => {
                    let before =
                        receives::get(tx, receive.id.as_str())?.map(|receive| receive.state);
                    refuse_unless(
                        matches!(before, Some(ReceiveState::GivenUp { .. })),
                        "decided",
                        "pending",
                    )?;
                    receives::put(tx, &receive)?;
                }
            }
            for (operation, ys) in operations {
                if let Some(row) = tx.open_table(GIVEN_UP)?.remove(operation.as_bytes())? {
                    tx.open_table(JOURNAL)?.insert(operation.as_bytes(), row.value())?;
                }
                archive::revive(tx, (inner.clock)(), &ys, State::Reserved, Some(operation))?;
            }
            Ok(TxDecision::Commit(()))
        })
        .await
    }
}

/// Moves operations from the journal to the table of given-up ones.
fn rest(tx: &WriteTransaction, operations: &[Uuid]) -> Result<(), StoreError> {
    for operation in operations {
        if let Some(row) = tx.open_table(JOURNAL)?.remove(operation.as_bytes())? {
            tx.open_table(GIVEN_UP)?.insert(operation.as_bytes(), row.value())?;
        }
    }
    Ok(())
}

fn refuse_unless(is_so: bool, from: &'static str, to: &'static str) -> Result<(), StoreError> {
    if is_so { Ok(()) } else { Err(StoreError::Transition { from, to }) }
}
