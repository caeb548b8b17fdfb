//! Nutzaps that came in (NIP-61): each event once, for ever, whatever a relay shows again.

use std::collections::BTreeSet;

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::super::error::StoreError;
use super::super::tables::{NUTZAPS, NUTZAPS_OPEN, Reads};
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
    /// Taken in, and relays were told so.
    Told(ReceiveId),
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
    /// Where it was seen first.
    pub relay: String,
    /// What became of it.
    pub state: NutzapState,
    /// When it was first seen, in Unix seconds.
    pub seen_at: u64,
}

/// Writes it. Until it is refused, or told to relays as taken, it is open.
pub(in crate::store) fn put(tx: &WriteTransaction, row: &NutzapRow) -> Result<(), StoreError> {
    if matches!(row.state, NutzapState::Waiting | NutzapState::Taken(_)) {
        tx.open_table(NUTZAPS_OPEN)?.insert(row.id.as_str(), ())?;
    } else {
        tx.open_table(NUTZAPS_OPEN)?.remove(row.id.as_str())?;
    }
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

    /// Ids of all that were ever seen.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn known_nutzaps(&self) -> Result<BTreeSet<String>, StoreError> {
        self.read(|tx| {
            let mut known = BTreeSet::new();
            for entry in tx.table(NUTZAPS)?.iter()? {
                known.insert(entry?.0.value().to_owned());
            }
            Ok(known)
        })
        .await
    }

    /// All that wait for their mint, or that relays have not been told of.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn open_nutzaps(&self) -> Result<Vec<NutzapRow>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(NUTZAPS_OPEN)?.iter()? {
                found.extend(record::get::<_, NutzapRow>(tx, NUTZAPS, entry?.0.value())?);
            }
            Ok(found)
        })
        .await
    }
}
