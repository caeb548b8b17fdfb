//! Deletions of token events (kind 5) that were read or made, with the ids they name, so that a
//! relay that has lost one gets the same one again.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::super::Store;
use super::super::error::StoreError;
use super::super::row::{self, decode};
use super::super::tables::{NOSTR_DELETIONS, NOSTR_GONE, Reads};
use super::{EventTimes, times};

/// A deletion event (kind 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The event's id, hex.
    pub id: String,
    /// Unix seconds, as the event says.
    pub at: u64,
    /// Ids of the token events it names, in their order.
    pub ids: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct DeletionRow {
    at: u64,
    ids: Vec<String>,
}

/// Writes a deletion's row; writing it again changes nothing.
pub(super) fn put(tx: &WriteTransaction, deletion: &Deletion) -> Result<(), StoreError> {
    let row = DeletionRow { at: deletion.at, ids: deletion.ids.clone() };
    row::put_packed(tx, NOSTR_DELETIONS, deletion.id.as_str(), &row)
}

/// Records that an event is gone, with the id of its deletion if known. The first id recorded
/// stays.
pub(super) fn add_tombstone(
    tombs: &mut Table<'_, &'static str, &'static str>,
    id: &str,
    by: &str,
) -> Result<(), StoreError> {
    let known = tombs.get(id)?.is_some_and(|known| by.is_empty() || !known.value().is_empty());
    if !known {
        tombs.insert(id, by)?;
    }
    Ok(())
}

impl Store {
    /// Returns all deletions that were read or made.
    ///
    /// # Errors
    /// If the file cannot be read; the same holds for all lookups.
    pub async fn known_deletions(&self) -> Result<EventTimes, StoreError> {
        #[derive(Deserialize)]
        struct At {
            at: u64,
        }
        self.read(|tx| times("nostr_deletions", &tx.table(NOSTR_DELETIONS)?, |row: At| row.at))
            .await
    }

    /// Returns those of these events that are gone, each with the id of its deletion, which is
    /// empty while only a successor names the event.
    ///
    /// # Errors
    /// See [`Store::known_deletions`].
    pub async fn gone_among(
        &self,
        ids: BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(move |tx| {
            let tombs = tx.table(NOSTR_GONE)?;
            let mut gone = BTreeMap::new();
            for id in ids {
                let by = tombs.get(id.as_str())?.map(|by| by.value().to_owned());
                gone.extend(by.map(|by| (id, by)));
            }
            Ok(gone)
        })
        .await
    }

    /// Returns these deletions; unknown ones are left out.
    ///
    /// # Errors
    /// See [`Store::known_deletions`].
    pub async fn deletions(&self, ids: Vec<String>) -> Result<Vec<Deletion>, StoreError> {
        self.read(move |tx| {
            let table = tx.table(NOSTR_DELETIONS)?;
            let mut found = Vec::new();
            for id in ids {
                if let Some(row) = table.get(id.as_str())? {
                    let DeletionRow { at, ids } = decode("nostr_deletions", row.value())?;
                    found.push(Deletion { id, at, ids });
                }
            }
            Ok(found)
        })
        .await
    }

    /// Adds deletions that were made for events already gone, durably. They replace the deletions
    /// known so far.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn add_deletions(&self, deletions: Vec<Deletion>) -> Result<(), StoreError> {
        if deletions.is_empty() {
            return Ok(());
        }
        self.write_durable(move |tx| {
            let mut tombs = tx.open_table(NOSTR_GONE)?;
            for deletion in &deletions {
                put(tx, deletion)?;
                for id in &deletion.ids {
                    tombs.insert(id.as_str(), deletion.id.as_str())?;
                }
            }
            Ok(())
        })
        .await
    }
}
