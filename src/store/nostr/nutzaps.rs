//! Nutzaps that came in (NIP-61): each event once, for ever, whatever a relay shows again.

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::super::error::StoreError;
use super::super::tables::NUTZAPS;
use super::super::{Store, record};
use crate::model::id::ReceiveId;

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NutzapState {
    /// Ours, and not taken in yet: its mint did not answer.
    Waiting,
    /// Taken in, or being taken in, under this name.
    Taken(ReceiveId),
    /// Not for us to take; the code says why.
    Refused(String),
}

/// One that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NutzapRow {
    /// The event's id.
    pub id: String,
    /// The event, while it waits.
    pub json: String,
    /// What became of it.
    pub state: NutzapState,
    /// When it was first seen, in Unix seconds.
    pub seen_at: u64,
}

pub(in crate::store) fn put(tx: &WriteTransaction, row: &NutzapRow) -> Result<(), StoreError> {
    record::put(tx, NUTZAPS, row.id.as_str(), row)
}

impl Store {
    /// What became of a nutzap. `None`: never seen.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn nutzap(&self, id: &str) -> Result<Option<NutzapRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| record::get(tx, NUTZAPS, id.as_str())).await
    }

    /// All that wait.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn waiting_nutzaps(&self) -> Result<Vec<NutzapRow>, StoreError> {
        self.read(|tx| {
            let mut rows: Vec<NutzapRow> = record::all(tx, NUTZAPS)?;
            rows.retain(|row| row.state == NutzapState::Waiting);
            Ok(rows)
        })
        .await
    }
}
