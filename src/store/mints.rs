//! Mints, their keysets and keys, as cdk caches them.
//!
//! Never judges a keyset: what a mint may announce is vetted before it comes here.

use std::collections::HashMap;
use std::str::FromStr;

use cdk_common::database;
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::{Id, KeySet, KeySetInfo, Keys, MintInfo};
use redb::{ReadableTable, WriteTransaction};

use super::Store;
use super::error::StoreError;
use super::record;
use super::tables::{KEYS, KEYSETS, MINT_IDENTITIES, MINT_KEYSETS, MINTS, Reads};

pub(super) fn info(tx: &impl Reads, mint: &MintUrl) -> Result<Option<MintInfo>, StoreError> {
    Ok(record::get::<_, Option<MintInfo>>(tx, MINTS, mint.to_string().as_str())?.flatten())
}

pub(super) fn all(tx: &impl Reads) -> Result<HashMap<MintUrl, Option<MintInfo>>, StoreError> {
    let mut mints = HashMap::new();
    for entry in tx.table(MINTS)?.iter()? {
        let (key, row) = entry?;
        let url = MintUrl::from_str(key.value())
            .map_err(|error| StoreError::Undecodable { table: "mints".to_owned(), reason: error.to_string() })?;
        mints.insert(url, record::decode("mints", row.value())?);
    }
    Ok(mints)
}

/// Adds a mint. Adding it without info keeps the info it had.
pub(super) fn add(tx: &WriteTransaction, mint: &MintUrl, new: Option<MintInfo>) -> Result<(), StoreError> {
    let new = match new {
        Some(new) => Some(new),
        None => info(tx, mint)?,
    };
    let name = mint.to_string();
    if let Some(key) = new.as_ref().and_then(|info| info.pubkey) {
        let mut identities = tx.open_table(MINT_IDENTITIES)?;
        if identities.get(name.as_str())?.is_none() {
            identities.insert(name.as_str(), &key.to_bytes())?;
        }
    }
    record::put(tx, MINTS, name.as_str(), &new)
}

/// The mint calls another public key its own than the first time (NUT-06).
pub(super) fn identity_changed(tx: &impl Reads, mint: &str) -> Result<bool, StoreError> {
    let Some(first) = tx.table(MINT_IDENTITIES)?.get(mint)?.map(|key| *key.value()) else { return Ok(false) };
    let now = record::get::<_, Option<MintInfo>>(tx, MINTS, mint)?.flatten().and_then(|info| info.pubkey);
    Ok(now.is_some_and(|now| now.to_bytes() != first))
}

impl Store {
    /// The mint calls another public key its own than when it was first asked (NUT-06).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn mint_identity_changed(&self, mint: &str) -> Result<bool, StoreError> {
        let mint = mint.to_owned();
        self.read(move |tx| identity_changed(tx, &mint)).await
    }
}

pub(super) fn remove(tx: &WriteTransaction, mint: &MintUrl) -> Result<(), StoreError> {
    record::remove(tx, MINTS, mint.to_string().as_str())
}

pub(super) fn keyset(tx: &impl Reads, id: &Id) -> Result<Option<KeySetInfo>, StoreError> {
    record::get(tx, KEYSETS, id.to_bytes().as_slice())
}

fn keyset_ids(tx: &impl Reads, mint: &str) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut ids = Vec::new();
    for entry in tx.table(MINT_KEYSETS)?.range((mint, [].as_slice())..)? {
        let (key, _) = entry?;
        let (of, id) = key.value();
        if of != mint {
            break;
        }
        ids.push(id.to_vec());
    }
    Ok(ids)
}

pub(super) fn keysets(tx: &impl Reads, mint: &MintUrl) -> Result<Option<Vec<KeySetInfo>>, StoreError> {
    let mut found = Vec::new();
    for id in keyset_ids(tx, &mint.to_string())? {
        found.extend(record::get(tx, KEYSETS, id.as_slice())?);
    }
    Ok((!found.is_empty()).then_some(found))
}

/// Adds keysets; of a known one only its activity and its fee change.
pub(super) fn add_keysets(tx: &WriteTransaction, mint: &MintUrl, keysets: Vec<KeySetInfo>) -> Result<(), StoreError> {
    let mint = mint.to_string();
    for new in keysets {
        let id = new.id.to_bytes();
        let row = match keyset(tx, &new.id)? {
            Some(known) => KeySetInfo { active: new.active, input_fee_ppk: new.input_fee_ppk, ..known },
            None => new,
        };
        record::put(tx, KEYSETS, id.as_slice(), &row)?;
        tx.open_table(MINT_KEYSETS)?.insert((mint.as_str(), id.as_slice()), ())?;
    }
    Ok(())
}

pub(super) fn keys(tx: &impl Reads, id: &Id) -> Result<Option<Keys>, StoreError> {
    record::get(tx, KEYS, id.to_bytes().as_slice())
}

/// Adds the keys of a keyset whose id they must hash to. The same keys again change nothing.
pub(super) fn add_keys(tx: &WriteTransaction, keyset: &KeySet) -> Result<(), StoreError> {
    keyset.verify_id().map_err(database::Error::from)?;
    match keys(tx, &keyset.id)? {
        None => record::put(tx, KEYS, keyset.id.to_bytes().as_slice(), &keyset.keys),
        Some(known) if known == keyset.keys => Ok(()),
        Some(_) => Err(database::Error::Duplicate.into()),
    }
}

pub(super) fn remove_keys(tx: &WriteTransaction, id: &Id) -> Result<(), StoreError> {
    record::remove(tx, KEYS, id.to_bytes().as_slice())
}
