//! Received tokens in the journal, with their indexes.
//!
//! Never contains the token itself: the swap's row has it until the swap is decided.

use redb::{ReadableTable, WriteTransaction};

use super::Store;
use super::error::StoreError;
use super::history::{self, HistoryEntry};
use super::row;
use super::tables::{RECEIVE_BY_DIGEST, RECEIVES, RECEIVES_OPEN, Reads};
use crate::model::id::ReceiveId;
use crate::model::receive::{Receive, ReceiveState};

pub(super) fn get(tx: &impl Reads, id: &str) -> Result<Option<Receive>, StoreError> {
    row::get(tx, RECEIVES, id)
}

fn of_index(tx: &impl Reads, id: Option<String>) -> Result<Option<Receive>, StoreError> {
    id.map(|id| get(tx, &id)?.ok_or(StoreError::Missing("receive of an index"))).transpose()
}

/// Writes a receive's row and updates every index.
pub(super) fn put(tx: &WriteTransaction, receive: &Receive) -> Result<(), StoreError> {
    let id = receive.id.as_str();
    tx.open_table(RECEIVE_BY_DIGEST)?.insert(receive.token_digest.as_str(), id)?;
    if receive.state == ReceiveState::Open {
        tx.open_table(RECEIVES_OPEN)?.insert(id, ())?;
    } else {
        tx.open_table(RECEIVES_OPEN)?.remove(id)?;
    }
    history::update(
        tx,
        get(tx, id)?.as_ref().map(HistoryEntry::of_receive).as_ref(),
        &HistoryEntry::of_receive(receive),
    )?;
    row::put_packed(tx, RECEIVES, id, receive)
}

impl Store {
    /// Looks up a received token by its id.
    ///
    /// # Errors
    /// If the file cannot be read; the same holds for all lookups.
    pub async fn receive(&self, id: &ReceiveId) -> Result<Option<Receive>, StoreError> {
        let id = id.clone();
        self.read(move |tx| get(tx, id.as_str())).await
    }

    /// Looks up the last receive of the same proofs.
    ///
    /// # Errors
    /// See [`Store::receive`].
    pub async fn receive_by_digest(&self, digest: &str) -> Result<Option<Receive>, StoreError> {
        let digest = digest.to_owned();
        self.read(move |tx| {
            let id =
                tx.table(RECEIVE_BY_DIGEST)?.get(digest.as_str())?.map(|id| id.value().to_owned());
            of_index(tx, id)
        })
        .await
    }

    /// Lists every receive whose swap may be in progress.
    ///
    /// # Errors
    /// See [`Store::receive`].
    pub async fn open_receives(&self) -> Result<Vec<Receive>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(RECEIVES_OPEN)?.iter()? {
                found.extend(of_index(tx, Some(entry?.0.value().to_owned()))?);
            }
            Ok(found)
        })
        .await
    }
}
