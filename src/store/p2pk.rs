//! Public keys that tokens may be locked to, and how each is derived.
//!
//! Never holds a private key: those are derived again when needed.

use cdk_common::bitcoin::bip32::DerivationPath;
use cdk_common::nuts::PublicKey;
use cdk_common::wallet::P2PKSigningKey;
use redb::WriteTransaction;

use super::error::StoreError;
use super::record;
use super::tables::{P2PK_KEYS, Reads};

pub(super) fn add(tx: &WriteTransaction, pubkey: PublicKey, path: DerivationPath, index: u32, now: u64) -> Result<(), StoreError> {
    let row = P2PKSigningKey { pubkey, derivation_path: path, derivation_index: index, created_time: now };
    record::put(tx, P2PK_KEYS, &pubkey.to_bytes(), &row)
}

pub(super) fn get(tx: &impl Reads, pubkey: &PublicKey) -> Result<Option<P2PKSigningKey>, StoreError> {
    record::get(tx, P2PK_KEYS, &pubkey.to_bytes())
}

/// Every key, newest first.
pub(super) fn list(tx: &impl Reads) -> Result<Vec<P2PKSigningKey>, StoreError> {
    let mut keys: Vec<P2PKSigningKey> = record::all(tx, P2PK_KEYS)?;
    keys.sort_by_key(|key| std::cmp::Reverse((key.created_time, key.derivation_index)));
    Ok(keys)
}
