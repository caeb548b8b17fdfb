//! Changes of proofs' states.
//!
//! Spent is final here. Never frees the proofs of an undecided operation, and never gives them to
//! another.

use std::collections::BTreeSet;

use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use redb::{ReadableTable, WriteTransaction};
use uuid::Uuid;

use super::Inner;
use super::error::StoreError;
use super::proofs::{ProofTables, StoredProof};
use super::tables::JOURNAL;

/// Operations that lose their hold on proofs in one transaction.
#[derive(Debug, Default)]
pub(super) struct ReleasedHolds(BTreeSet<Uuid>);

impl ReleasedHolds {
    /// Refuses a transaction after which an operation in the journal no longer holds its inputs.
    pub(super) fn check(&self, tx: &WriteTransaction) -> Result<(), StoreError> {
        let journal = tx.open_table(JOURNAL)?;
        for operation in &self.0 {
            if journal.get(operation.as_bytes())?.is_some_and(|row| row.value().0) {
                return Err(StoreError::Undecided);
            }
        }
        Ok(())
    }
}

/// Adds proofs. One that is already stored, live or archived, stays unchanged.
pub(super) fn add(
    tx: &WriteTransaction,
    inner: &Inner,
    infos: Vec<ProofInfo>,
) -> Result<(), StoreError> {
    let mut tables = ProofTables::open(tx, (inner.clock)())?;
    for info in infos {
        if tables.find(&info.y.to_bytes())?.is_none() {
            tables.put(None, info)?;
        }
    }
    Ok(())
}

/// Changes proofs, each of which must be in one of the `expect`ed states. `Unspent` clears the
/// operation; otherwise `operation` replaces it if given.
pub(super) fn change(
    tx: &WriteTransaction,
    inner: &Inner,
    released: &mut ReleasedHolds,
    ys: &[PublicKey],
    expect: Option<&[State]>,
    to: State,
    operation: Option<Uuid>,
) -> Result<(), StoreError> {
    let mut tables = ProofTables::open(tx, (inner.clock)())?;
    for y in ys {
        let before = tables.find(&y.to_bytes())?.ok_or(StoreError::ProofNotFound)?;
        let refused = |state: State| expect.is_some_and(|states| !states.contains(&state));
        let info = match &before {
            StoredProof::Spent if refused(State::Spent) => return Err(StoreError::ProofNotUnspent),
            StoredProof::Spent if to == State::Spent => continue,
            StoredProof::Spent => return Err(StoreError::SpentIsFinal),
            StoredProof::Live(info) if refused(info.state) => {
                return Err(StoreError::ProofNotUnspent);
            }
            StoredProof::Live(info) => (**info).clone(),
        };
        let user = if to == State::Unspent { None } else { operation.or(info.used_by_operation) };
        let is_held = info.state != State::Unspent && to != State::Spent;
        if is_held && user != info.used_by_operation {
            released.0.extend(info.used_by_operation);
        }
        tables.put(Some(&before), ProofInfo { state: to, used_by_operation: user, ..info })?;
    }
    Ok(())
}
