//! The history: one index over all records, by the time they were made, newest first.
//!
//! Never has rows of its own but those of policy changes, and never a secret.

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::tables::{HISTORY, POLICY_CHANGES, Reads};
use super::{deposits, payments, receives, record};
use crate::model::deposit::Deposit;
use crate::model::payment::Payment;
use crate::model::receive::Receive;

/// A change of the limits, as a person made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// When it was noticed, in Unix seconds.
    pub at: u64,
    /// What changed, in our words.
    pub text: String,
    /// Something is allowed now that was not before.
    pub loosened: bool,
}

/// One record of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryRow {
    /// An invoice paid, or a token handed out.
    Payment(Payment),
    /// An invoice of ours.
    Deposit(Deposit),
    /// A token received.
    Receive(Receive),
    /// A change of the limits.
    Policy {
        /// Its name.
        id: String,
        /// What changed.
        change: PolicyChange,
    },
}

/// A place in the history: what comes after it is older.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// When the record was made, in Unix seconds.
    pub at: u64,
    /// The record's id.
    pub id: String,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Not older than this, in Unix seconds.
    pub since: Option<u64>,
    /// Older than this, in Unix seconds.
    pub until: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Only what comes after this place.
    pub before: Option<Cursor>,
    /// Only what this agent caused; policy changes belong to nobody and are left out then.
    pub agent: Option<String>,
}

impl HistoryRow {
    /// Where it stands in the history.
    pub fn cursor(&self) -> Cursor {
        let (at, id) = match self {
            Self::Payment(payment) => (payment.created_at, payment.id.as_str()),
            Self::Deposit(deposit) => (deposit.created_at, deposit.id.as_str()),
            Self::Receive(receive) => (receive.created_at, receive.id.as_str()),
            Self::Policy { id, change } => (change.at, id.as_str()),
        };
        Cursor { at, id: id.to_owned() }
    }

    fn agent(&self) -> Option<&str> {
        match self {
            Self::Payment(payment) => Some(&payment.agent),
            Self::Deposit(deposit) => Some(&deposit.agent),
            Self::Receive(receive) => Some(&receive.agent),
            Self::Policy { .. } => None,
        }
    }
}

/// What kind of record an entry points to. The numbers are part of the file format.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Payment = 0,
    Deposit = 1,
    Receive = 2,
    Policy = 3,
}

/// Enters a new record.
pub(super) fn note(tx: &WriteTransaction, at: u64, id: &str, kind: Kind) -> Result<(), StoreError> {
    tx.open_table(HISTORY)?.insert((at, id), kind as u8)?;
    Ok(())
}

pub(super) fn put_policy(tx: &WriteTransaction, change: &PolicyChange) -> Result<(), StoreError> {
    let id = format!("chg_{}", uuid::Uuid::new_v4().simple());
    note(tx, change.at, &id, Kind::Policy)?;
    record::put(tx, POLICY_CHANGES, id.as_str(), change)
}

fn row(tx: &impl Reads, id: &str, kind: u8) -> Result<HistoryRow, StoreError> {
    let found = match kind {
        0 => payments::get(tx, id)?.map(HistoryRow::Payment),
        1 => deposits::get(tx, id)?.map(HistoryRow::Deposit),
        2 => receives::get(tx, id)?.map(HistoryRow::Receive),
        3 => record::get(tx, POLICY_CHANGES, id)?.map(|change| HistoryRow::Policy { id: id.to_owned(), change }),
        version => return Err(StoreError::UnknownVersion { table: "history".to_owned(), version }),
    };
    found.ok_or(StoreError::Missing("record of the history"))
}

impl Store {
    /// The records that match, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<HistoryRow>, StoreError> {
        self.read(move |tx| {
            let mut end = (query.until.unwrap_or(u64::MAX), "");
            if query.until.is_none() {
                // Ids are ASCII: `~` sorts behind every one of them.
                end.1 = "~";
            }
            if let Some(before) = &query.before {
                end = end.min((before.at, before.id.as_str()));
            }
            let start = (query.since.unwrap_or(0), "");
            let mut rows = Vec::new();
            if start >= end {
                return Ok(rows);
            }
            for entry in tx.table(HISTORY)?.range(start..end)?.rev() {
                if rows.len() >= query.limit {
                    break;
                }
                let (key, kind) = entry?;
                let row = row(tx, key.value().1, kind.value())?;
                if query.agent.is_none() || row.agent() == query.agent.as_deref() {
                    rows.push(row);
                }
            }
            Ok(rows)
        })
        .await
    }
}
