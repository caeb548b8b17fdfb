//! Rows: one byte of version, then JSON, plain or [packed](super::pack).
//!
//! Never skips a row it cannot read: an unknown version and an unreadable row are errors.

use std::borrow::Borrow;

use redb::{Key, ReadableTable, TableDefinition, TableHandle, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::pack;
use super::tables::Reads;

/// The versions of a row: JSON, and [packed](super::pack) JSON.
const VERSION: u8 = 1;
const PACKED: u8 = 2;

type Rows<K> = TableDefinition<'static, K, &'static [u8]>;
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(VERSION);
    serde_json::to_writer(&mut bytes, value).map_err(|error| StoreError::Undecodable {
        table: "(new)".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(bytes)
}
pub(super) fn decode<T: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<T, StoreError> {
    let undecodable = |reason: String| StoreError::Undecodable { table: table.to_owned(), reason };
    match bytes.split_first() {
        None => Err(undecodable("it is empty".to_owned())),
        Some((&VERSION, json)) => {
            serde_json::from_slice(json).map_err(|error| undecodable(place(&error)))
        }
        Some((&PACKED, packed)) => {
            let json =
                pack::unpack(packed).ok_or_else(|| undecodable("it is truncated".to_owned()))?;
            serde_json::from_slice(&json).map_err(|error| undecodable(place(&error)))
        }
        Some((&version, _)) => Err(StoreError::UnknownVersion { table: table.to_owned(), version }),
    }
}

/// Returns where reading failed. serde_json's own message can quote the value, which can be a
/// secret.
fn place(error: &serde_json::Error) -> String {
    format!("{:?} error at column {}", error.classify(), error.column())
}
pub(super) fn get<'k, K: Key + 'static, T: DeserializeOwned>(
    tx: &impl Reads,
    table: Rows<K>,
    key: impl Borrow<K::SelfType<'k>>,
) -> Result<Option<T>, StoreError> {
    let rows = tx.table(table)?;
    let found = rows.get(key)?;
    found.map(|row| decode(table.name(), row.value())).transpose()
}
pub(super) fn put<'k, K: Key + 'static, T: Serialize>(
    tx: &WriteTransaction,
    table: Rows<K>,
    key: impl Borrow<K::SelfType<'k>>,
    value: &T,
) -> Result<(), StoreError> {
    let bytes = encode(value)?;
    tx.open_table(table)?.insert(key, bytes.as_slice())?;
    Ok(())
}

/// Writes one row as [packed](super::pack) JSON: for rows that are kept for ever.
pub(super) fn put_packed<'k, K: Key + 'static, T: Serialize>(
    tx: &WriteTransaction,
    table: Rows<K>,
    key: impl Borrow<K::SelfType<'k>>,
    value: &T,
) -> Result<(), StoreError> {
    let json = encode(value)?;
    let mut bytes = vec![PACKED];
    bytes.extend(pack::pack(json.get(1..).unwrap_or_default()));
    tx.open_table(table)?.insert(key, bytes.as_slice())?;
    Ok(())
}
pub(super) fn remove<'k, K: Key + 'static>(
    tx: &WriteTransaction,
    table: Rows<K>,
    key: impl Borrow<K::SelfType<'k>>,
) -> Result<(), StoreError> {
    tx.open_table(table)?.remove(key)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_version_and_an_unreadable_row_are_errors() {
        assert!(matches!(
            decode::<u32>("t", &[3, b'1']),
            Err(StoreError::UnknownVersion { version: 3, .. })
        ));
        assert!(matches!(decode::<u32>("t", &[]), Err(StoreError::Undecodable { .. })));
        assert!(matches!(decode::<u32>("t", &[1, b'x']), Err(StoreError::Undecodable { .. })));
        assert!(matches!(decode::<u32>("t", &[2, 1]), Err(StoreError::Undecodable { .. })));
        assert!(matches!(
            (decode::<u32>("t", &[1, b'7']), decode::<u32>("t", &[2, b'7'])),
            (Ok(7), Ok(7))
        ));
    }

    #[test]
    fn an_error_does_not_quote_the_value() {
        let said = decode::<u32>("t", b"\x01\"cashuBsecret\"").err().map(|error| error.to_string());
        assert!(said.is_some_and(|said| !said.contains("secret")));
    }
}
