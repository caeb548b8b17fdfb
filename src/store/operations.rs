//! The journal of operations at mints: one row each until it is decided, found by its id or by the
//! record it belongs to. Only the engine reads a row's body.

use redb::{ReadableTable, WriteTransaction};
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use super::tables::{
    GIVEN_UP, JOURNAL, OPERATION_SUBJECTS, OPERATIONS_BY_SUBJECT, OperationId, Reads,
};
use crate::model::subject::Subject;

/// An undecided operation.
#[derive(Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// The operation's id, which also marks the inputs it holds.
    pub id: Uuid,
    /// `true` if it holds its proofs: while this row exists, no other operation can use them.
    pub holds: bool,
    /// The engine's own bytes: inputs, secrets, blinding factors.
    pub body: Vec<u8>,
    /// The record that it belongs to. `None` if there is none.
    pub subject: Option<Subject>,
}

impl std::fmt::Debug for OperationRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperationRow").field("id", &self.id).finish_non_exhaustive()
    }
}
pub(super) fn put(tx: &WriteTransaction, row: &OperationRow) -> Result<(), StoreError> {
    let id = row.id.as_bytes();
    tx.open_table(JOURNAL)?.insert(id, (row.holds, row.body.as_slice()))?;
    if let Some(subject) = &row.subject {
        tx.open_table(OPERATION_SUBJECTS)?.insert(id, subject.as_str())?;
        tx.open_table(OPERATIONS_BY_SUBJECT)?.insert((subject.as_str(), id), ())?;
    }
    Ok(())
}
pub(super) fn end(tx: &WriteTransaction, id: Uuid) -> Result<(), StoreError> {
    let id = id.as_bytes();
    tx.open_table(JOURNAL)?.remove(id)?;
    tx.open_table(GIVEN_UP)?.remove(id)?;
    if let Some(subject) = tx.open_table(OPERATION_SUBJECTS)?.remove(id)? {
        tx.open_table(OPERATIONS_BY_SUBJECT)?.remove((subject.value(), id))?;
    }
    Ok(())
}

type RowKey = (bool, &'static [u8]);

fn all(
    rows: &impl ReadableTable<&'static OperationId, RowKey>,
    subjects: &impl ReadableTable<&'static OperationId, &'static str>,
) -> Result<Vec<OperationRow>, StoreError> {
    let mut found = Vec::new();
    for entry in rows.iter()? {
        let (id, row) = entry?;
        found.push(read(*id.value(), row.value(), subjects)?);
    }
    Ok(found)
}

fn of(
    tx: &impl Reads,
    rows: &impl ReadableTable<&'static OperationId, RowKey>,
    subject: &str,
) -> Result<Vec<OperationRow>, StoreError> {
    let (index, subjects) = (tx.table(OPERATIONS_BY_SUBJECT)?, tx.table(OPERATION_SUBJECTS)?);
    let mut found = Vec::new();
    for entry in index.range((subject, &[0; 16])..=(subject, &[u8::MAX; 16]))? {
        let id = *entry?.0.value().1;
        if let Some(row) = rows.get(&id)? {
            found.push(read(id, row.value(), &subjects)?);
        }
    }
    Ok(found)
}

fn read(
    id: OperationId,
    (holds, body): (bool, &[u8]),
    subjects: &impl ReadableTable<&'static OperationId, &'static str>,
) -> Result<OperationRow, StoreError> {
    let subject = subjects.get(&id)?.and_then(|subject| Subject::read(subject.value()));
    Ok(OperationRow { id: Uuid::from_bytes(id), holds, body: body.to_vec(), subject })
}

impl Store {
    /// Looks up an undecided operation.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn operation(&self, id: Uuid) -> Result<Option<OperationRow>, StoreError> {
        self.read(move |tx| {
            let (journal, subjects) = (tx.table(JOURNAL)?, tx.table(OPERATION_SUBJECTS)?);
            let row = journal.get(id.as_bytes())?;
            row.map(|row| read(id.into_bytes(), row.value(), &subjects)).transpose()
        })
        .await
    }

    /// Lists the undecided operations, except those that were given up.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn operations(&self) -> Result<Vec<OperationRow>, StoreError> {
        self.read(|tx| all(&tx.table(JOURNAL)?, &tx.table(OPERATION_SUBJECTS)?)).await
    }

    /// Lists the undecided operations of one record, except those that were given up.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn operations_of(&self, subject: &Subject) -> Result<Vec<OperationRow>, StoreError> {
        let subject = subject.as_str().to_owned();
        self.read(move |tx| of(tx, &tx.table(JOURNAL)?, &subject)).await
    }

    /// Lists the operations that the owner has given up.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn operations_given_up(&self) -> Result<Vec<OperationRow>, StoreError> {
        self.read(|tx| all(&tx.table(GIVEN_UP)?, &tx.table(OPERATION_SUBJECTS)?)).await
    }

    /// Lists the given-up operations of one record.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn given_up_of(&self, subject: &Subject) -> Result<Vec<OperationRow>, StoreError> {
        let subject = subject.as_str().to_owned();
        self.read(move |tx| of(tx, &tx.table(GIVEN_UP)?, &subject)).await
    }
}
