//! The wallet's metadata, in one row. `real` never goes back to `false`, the wallet id never
//! changes, and the generation only grows.

use std::collections::BTreeSet;

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::row;
use super::tables::{META, Reads};
use crate::model::keys::KeysPlace;

pub(super) const KEY: &str = "meta";

/// Version of the file format. Versions 1 to 3 were never released.
const FORMAT: u32 = 4;

/// Maximum number of findings that are kept; the oldest are dropped.
const FINDINGS: usize = 100;

fn first() -> u32 {
    1
}

/// Proofs that a mint had signed for us and that the file did not contain. They may belong to a
/// deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FoundProofs {
    pub(super) mint: String,
    /// Unix seconds at which they were found.
    pub(super) at: u64,
    /// Sats that no deposit was credited with yet.
    pub(super) sats: u64,
}

/// Metadata of the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Random id, made with the file.
    pub wallet_id: String,
    #[serde(default = "first")]
    pub(super) format: u32,
    /// The number of this device among those that share the mnemonic.
    pub device: u32,
    /// `true` once the wallet has held real money. Never goes back to `false`.
    pub real: bool,
    /// The policy's canonical text when the owner's files were last read.
    pub policy_fingerprint: Option<String>,
    /// Unix seconds at which that text last changed.
    pub policy_changed_at: Option<u64>,
    /// The place of the keys. `None` until they are made.
    pub keys: Option<KeysPlace>,
    /// The generation: raised at each opening, it tells an older file from a newer one.
    #[serde(default)]
    pub generation: u64,
    /// The mints that were asked for all they have signed for us. `Some` if the file was an older
    /// copy, or was restored from the mnemonic: no other mint is used.
    #[serde(default)]
    pub checked: Option<BTreeSet<String>>,
    /// Unix seconds until which the day's limit counts as used up, because the spending is unknown.
    #[serde(default)]
    pub window_full_until: Option<u64>,
    /// Unix seconds at which that time was first seen to be more than a day ahead of the clock.
    #[serde(default)]
    pub(super) window_seen_ahead: Option<u64>,
    /// `true` if the file was restored from the mnemonic and has no device number of its own yet.
    #[serde(default)]
    pub device_open: bool,
    /// The highest device number that a mint was seen to know.
    #[serde(default)]
    pub last_device: u32,
    /// A mark that identifies the wallet's keys and reveals nothing about them. `None` until they
    /// were first seen.
    #[serde(default)]
    pub keys_mark: Option<String>,
    /// `true` once a person was shown the mnemonic.
    #[serde(default)]
    pub backed_up: bool,
    /// Proofs that were found at mints, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) found: Vec<FoundProofs>,
    /// Unix seconds and content hash of the copy that this file is or came from.
    #[serde(default)]
    pub(super) copied: Option<(u64, String)>,
}

impl Meta {
    /// Returns whether the mint must be asked for what it has signed before it is used.
    pub fn is_unchecked(&self, mint: &str) -> bool {
        self.checked.as_ref().is_some_and(|checked| !checked.contains(mint))
    }

    /// Remembers sats that were found at a mint and that the file did not contain.
    pub fn remember_found(&mut self, mint: String, at: u64, sats: u64) {
        if sats > 0 {
            self.found.push(FoundProofs { mint, at, sats });
            self.found.drain(..self.found.len().saturating_sub(FINDINGS));
        }
    }

    /// Credits a deposit of `sats`, requested at `since`, from what was found since then. Returns
    /// `false` if too little was found; the metadata must then be discarded.
    pub(super) fn take_found(&mut self, mint: &str, since: u64, sats: u64) -> bool {
        let mut lacking = sats;
        for one in self.found.iter_mut().filter(|one| one.mint == mint && one.at >= since) {
            let taken = one.sats.min(lacking);
            (one.sats, lacking) = (one.sats.saturating_sub(taken), lacking.saturating_sub(taken));
        }
        self.found.retain(|one| one.sats > 0);
        lacking == 0
    }
}
pub(super) fn create(
    tx: &WriteTransaction,
    change: impl FnOnce(&mut Meta),
) -> Result<(), StoreError> {
    let mut meta = Meta {
        wallet_id: uuid::Uuid::new_v4().simple().to_string(),
        format: FORMAT,
        device: 0,
        real: false,
        policy_fingerprint: None,
        policy_changed_at: None,
        keys: None,
        generation: 0,
        checked: None,
        window_full_until: None,
        window_seen_ahead: None,
        device_open: false,
        last_device: 0,
        keys_mark: None,
        backed_up: false,
        found: Vec::new(),
        copied: None,
    };
    change(&mut meta);
    row::put(tx, META, KEY, &meta)
}

/// Reads the row. A file without it is not a wallet.
pub(super) fn get(tx: &impl Reads) -> Result<Meta, StoreError> {
    let meta: Meta = row::get(tx, META, KEY)?
        .ok_or_else(|| StoreError::Damaged("it is not a wallet of this program".to_owned()))?;
    match meta.format {
        FORMAT => Ok(meta),
        old @ 1..FORMAT => Err(StoreError::OldFile(old)),
        _ => Err(StoreError::UnknownVersion {
            table: "meta".to_owned(),
            version: u8::try_from(meta.format).unwrap_or(u8::MAX),
        }),
    }
}

impl Store {
    /// Returns the wallet's metadata.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn meta(&self) -> Result<Meta, StoreError> {
        self.read(get).await
    }

    /// Changes the metadata durably, and returns it. `real` never goes back to `false`, the id
    /// stays, and the generation never falls.
    ///
    /// # Errors
    /// If the file cannot be written; then nothing has changed.
    pub async fn set_meta(
        &self,
        change: impl FnOnce(&mut Meta) + Send + 'static,
    ) -> Result<Meta, StoreError> {
        self.write_durable(move |tx| {
            let before = get(tx)?;
            let mut after = before.clone();
            change(&mut after);
            after.real |= before.real;
            after.wallet_id = before.wallet_id;
            after.generation = after.generation.max(before.generation);
            row::put(tx, META, KEY, &after)?;
            Ok(after)
        })
        .await
    }
}
