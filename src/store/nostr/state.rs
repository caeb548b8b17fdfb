//! State of this wallet on relays: one JSON row per name, never a proof.

use redb::{ReadableTable, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::error::StoreError;
use super::super::tables::{NOSTR_DIRTY, NOSTR_STATE, PROOFS, Reads};
use super::super::{Store, row};

/// Name of the row that is set once Nostr was on: from then on, every change of a proof is marked.
const BEGUN: &str = "begun";

pub(in crate::store) fn begun(tx: &impl Reads) -> Result<bool, StoreError> {
    Ok(tx.table(NOSTR_STATE)?.get(BEGUN)?.is_some())
}

fn begin(tx: &WriteTransaction) -> Result<(), StoreError> {
    if begun(tx)? {
        return Ok(());
    }
    row::put(tx, NOSTR_STATE, BEGUN, &true)?;
    let mut dirty = tx.open_table(NOSTR_DIRTY)?;
    for entry in tx.open_table(PROOFS)?.iter()? {
        dirty.insert(entry?.0.value(), 1)?;
    }
    Ok(())
}

impl Store {
    /// Starts to mark every change of a proof for relays, and marks the existing proofs. Calling it
    /// again does nothing.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn begin_outbox(&self) -> Result<(), StoreError> {
        if self.read(begun).await? { Ok(()) } else { self.write_durable(begin).await }
    }

    /// Returns whether Nostr is or was on: relays may show proofs of ours.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn outbox_begun(&self) -> Result<bool, StoreError> {
        self.read(begun).await
    }

    /// Reads a named row.
    ///
    /// # Errors
    /// If the file or the row cannot be read.
    pub async fn nostr_state<T: DeserializeOwned + Send + 'static>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.read(move |tx| row::get(tx, NOSTR_STATE, name)).await
    }

    /// Writes a named row, durably.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn set_nostr_state<T: Serialize + Send + 'static>(
        &self,
        name: &'static str,
        value: T,
    ) -> Result<(), StoreError> {
        self.write_durable(move |tx| row::put(tx, NOSTR_STATE, name, &value)).await
    }
}
