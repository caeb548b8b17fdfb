//! cdk's operations under way.
//!
//! Never advances one by itself.

use cdk_common::wallet::{OperationData, WalletSaga};
use redb::WriteTransaction;
use uuid::Uuid;

use super::error::StoreError;
use super::record;
use super::tables::{Reads, SAGAS};

pub(super) fn get(tx: &impl Reads, id: Uuid) -> Result<Option<WalletSaga>, StoreError> {
    record::get(tx, SAGAS, id.as_bytes())
}

/// Oldest first: an operation's parts were begun after it.
pub(super) fn all(tx: &impl Reads) -> Result<Vec<WalletSaga>, StoreError> {
    let mut sagas: Vec<WalletSaga> = record::all(tx, SAGAS)?;
    sagas.sort_by_key(|saga| saga.created_at);
    Ok(sagas)
}

pub(super) fn add(tx: &WriteTransaction, saga: &WalletSaga) -> Result<(), StoreError> {
    record::put(tx, SAGAS, saga.id.as_bytes(), saga)
}

/// Writes a saga whose version the caller has raised by one; `false` when another has changed it since.
pub(super) fn update(tx: &WriteTransaction, saga: &WalletSaga) -> Result<bool, StoreError> {
    let expected = saga.version.saturating_sub(1);
    let fits = get(tx, saga.id)?.is_some_and(|known| known.version == expected);
    if fits {
        add(tx, saga)?;
    }
    Ok(fits)
}

pub(super) fn remove(tx: &WriteTransaction, id: Uuid) -> Result<(), StoreError> {
    record::remove(tx, SAGAS, id.as_bytes())
}

/// The quote of a melt. `None` for every other kind of operation.
pub(super) fn melt_quote(saga: &WalletSaga) -> Option<String> {
    match &saga.data {
        OperationData::Melt(data) => Some(data.quote_id.clone()),
        _ => None,
    }
}
