//! What the owner has given up, because nothing that its mint says can end it any more: its
//! operations rest beside the journal, and its coins in the archive, until it is taken up again.
//!
//! Never decides what became of it, and deletes nothing.

use cdk_common::nuts::{PublicKey, State};
use redb::{Durability, WriteTransaction};
use uuid::Uuid;

use super::commit::apply_all;
use super::error::{self, StoreError};
use super::tables::{GIVEN_UP, JOURNAL};
use super::{Change, Store, TxDecision, archive, payments, receives};
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::{Receive, ReceiveState};

/// A payment or a received token whose outcome is not known, with the state that it is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenRecord {
    /// A payment.
    Payment(Payment),
    /// A received token.
    Receive(Receive),
}

impl Store {
    /// Gives something up, durably: `what` in its new state, its operations out of the journal, the
    /// coins that they hold into the archive.
    ///
    /// # Errors
    /// [`StoreError::Transition`] when it has been decided meanwhile, or when the file cannot be
    /// written: nothing has changed then.
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

    /// Takes up again what was given up, durably: `what` open, its operations in the journal, their
    /// coins, if any, held by them.
    ///
    /// # Errors
    /// As [`Store::give_up`].
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

/// Takes operations out of the journal, and keeps them.
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
