//! Mints, their keysets and keys, as last announced.
//!
//! Never judges a keyset: announcements are vetted before they get here.

use cdk_common::nuts::{Id, KeySet, KeySetInfo, Keys};
use redb::{ReadableTable, WriteTransaction};

use super::Store;
use super::error::StoreError;
use super::row;
use super::tables::{KEYS, KEYSETS, MINT_IDENTITIES, MINT_KEYSETS, MINTS, Reads};
use crate::model::mint::MintInfo;

pub(super) fn info(tx: &impl Reads, mint: &str) -> Result<Option<MintInfo>, StoreError> {
    row::get(tx, MINTS, mint)
}

/// Stores a mint's info, and the first public key that it ever announced.
pub(super) fn put_info(
    tx: &WriteTransaction,
    mint: &str,
    info: &MintInfo,
) -> Result<(), StoreError> {
    if let Some(key) = pubkey(info) {
        let mut identities = tx.open_table(MINT_IDENTITIES)?;
        if identities.get(mint)?.is_none() {
            identities.insert(mint, &key)?;
        }
    }
    row::put(tx, MINTS, mint, info)
}

pub(super) fn identity_changed(tx: &impl Reads, mint: &str) -> Result<bool, StoreError> {
    let Some(first) = tx.table(MINT_IDENTITIES)?.get(mint)?.map(|key| *key.value()) else {
        return Ok(false);
    };
    Ok(info(tx, mint)?.as_ref().and_then(pubkey).is_some_and(|now| now != first))
}

fn pubkey(info: &MintInfo) -> Option<[u8; 33]> {
    let mut key = [0; 33];
    hex::decode_to_slice(info.pubkey.as_deref()?, &mut key).ok()?;
    Some(key)
}

impl Store {
    /// Returns whether the mint announces another public key than the first time (NUT-06).
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn mint_identity_changed(&self, mint: &str) -> Result<bool, StoreError> {
        let mint = mint.to_owned();
        self.read(move |tx| identity_changed(tx, &mint)).await
    }
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

pub(super) fn keysets(tx: &impl Reads, mint: &str) -> Result<Vec<KeySetInfo>, StoreError> {
    let mut found = Vec::new();
    for id in keyset_ids(tx, mint)? {
        found.extend(row::get(tx, KEYSETS, id.as_slice())?);
    }
    Ok(found)
}

/// Lists the keysets of all other mints.
pub(super) fn keysets_elsewhere(tx: &impl Reads, mint: &str) -> Result<Vec<Id>, StoreError> {
    let mut found = Vec::new();
    for entry in tx.table(MINT_KEYSETS)?.iter()? {
        let (key, _) = entry?;
        let (of, id) = key.value();
        if of != mint {
            let undecodable = |error: cdk_common::nuts::nut02::Error| {
                StoreError::undecodable("mint_keysets", error)
            };
            found.push(Id::from_bytes(id).map_err(undecodable)?);
        }
    }
    Ok(found)
}

/// Adds keysets; of a known one, only the active flag and the fee change. A keyset that is no
/// longer listed becomes inactive.
pub(super) fn put_keysets(
    tx: &WriteTransaction,
    mint: &str,
    listed: Vec<KeySetInfo>,
) -> Result<(), StoreError> {
    for known in keysets(tx, mint)?
        .into_iter()
        .filter(|known| known.active && listed.iter().all(|one| one.id != known.id))
    {
        row::put(
            tx,
            KEYSETS,
            known.id.to_bytes().as_slice(),
            &KeySetInfo { active: false, ..known },
        )?;
    }
    for new in listed {
        let id = new.id.to_bytes();
        let row = match row::get::<_, KeySetInfo>(tx, KEYSETS, id.as_slice())? {
            Some(known) => {
                KeySetInfo { active: new.active, input_fee_ppk: new.input_fee_ppk, ..known }
            }
            None => new,
        };
        row::put(tx, KEYSETS, id.as_slice(), &row)?;
        tx.open_table(MINT_KEYSETS)?.insert((mint, id.as_slice()), ())?;
    }
    Ok(())
}

pub(super) fn keys(tx: &impl Reads, id: &Id) -> Result<Option<Keys>, StoreError> {
    row::get(tx, KEYS, id.to_bytes().as_slice())
}

/// Adds the keys of a keyset, which must hash to its id.
pub(super) fn put_keys(tx: &WriteTransaction, keyset: &KeySet) -> Result<(), StoreError> {
    keyset.verify_id().map_err(|error| StoreError::undecodable("keys", error))?;
    row::put(tx, KEYS, keyset.id.to_bytes().as_slice(), &keyset.keys)
}
