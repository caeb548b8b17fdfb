//! cdk's own key-value pairs, as bytes.
//!
//! Never holds anything of ours: our own records have tables.

use cdk_common::database::validate_kvstore_params;
use redb::{ReadableTable, WriteTransaction};

use super::error::StoreError;
use super::tables::{KV, Reads};

/// Where a value is: first namespace, second namespace, key.
pub(super) type Place = (String, String, String);

/// A place, if cdk allows it.
pub(super) fn place(first: &str, second: &str, key: &str) -> Result<Place, StoreError> {
    validate_kvstore_params(first, second, Some(key))?;
    Ok((first.to_owned(), second.to_owned(), key.to_owned()))
}

pub(super) fn read(tx: &impl Reads, (first, second, key): &Place) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(tx.table(KV)?.get((first.as_str(), second.as_str(), key.as_str()))?.map(|value| value.value().to_vec()))
}

pub(super) fn list(tx: &impl Reads, first: &str, second: &str) -> Result<Vec<String>, StoreError> {
    validate_kvstore_params(first, second, None)?;
    let mut keys = Vec::new();
    for entry in tx.table(KV)?.range((first, second, "")..)? {
        let (key, _) = entry?;
        let (of_first, of_second, key) = key.value();
        if (of_first, of_second) != (first, second) {
            break;
        }
        keys.push(key.to_owned());
    }
    Ok(keys)
}

pub(super) fn write(tx: &WriteTransaction, (first, second, key): &Place, value: &[u8]) -> Result<(), StoreError> {
    tx.open_table(KV)?.insert((first.as_str(), second.as_str(), key.as_str()), value)?;
    Ok(())
}

pub(super) fn remove(tx: &WriteTransaction, (first, second, key): &Place) -> Result<(), StoreError> {
    tx.open_table(KV)?.remove((first.as_str(), second.as_str(), key.as_str()))?;
    Ok(())
}
