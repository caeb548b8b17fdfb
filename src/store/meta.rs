//! What the wallet is: one row. `real` is a latch, the wallet's id never changes, and its
//! generation only grows.

use std::collections::BTreeSet;

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::row;
use super::tables::{META, Reads};
use crate::model::keys::KeysPlace;

pub(super) const KEY: &str = "meta";

/// The version of the file. Versions 1 to 3 were never released.
const FORMAT: u32 = 4;

/// So many findings are remembered, the newest.
const FINDINGS: usize = 100;

fn first() -> u32 {
    1
}

/// Coins that a mint had signed for us and that the file did not know: they may be those of a
/// deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FoundProofs {
    /// The mint's address.
    pub(super) mint: String,
    /// When they were found, in Unix seconds.
    pub(super) at: u64,
    /// Sats that no deposit has been credited with.
    pub(super) sats: u64,
}

/// What the wallet is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Random, made when the file was made.
    pub wallet_id: String,
    /// The version of the file.
    #[serde(default = "first")]
    pub(super) format: u32,
    /// Which of the mnemonic's devices this home is.
    pub device: u32,
    /// It ever held real money. Never goes back.
    pub real: bool,
    /// What the owner's files said when they were last read: the policy's canonical text.
    pub policy_fingerprint: Option<String>,
    /// When that last changed, in Unix seconds.
    pub policy_changed_at: Option<u64>,
    /// Where its keys are. `None` until they are made.
    pub keys: Option<KeysPlace>,
    /// Raised at each opening: tells an older file from a newer one.
    #[serde(default)]
    pub generation: u64,
    /// `Some`: the file was an older copy, or was made anew from the words. A mint that is not in
    /// the set is not used until it has been asked for all it has signed for us.
    #[serde(default)]
    pub checked: Option<BTreeSet<String>>,
    /// Until when the day's limit counts as used up, in Unix seconds: what was spent is not known.
    #[serde(default)]
    pub window_full_until: Option<u64>,
    /// When that was first seen to lie more than a day ahead of the clock, in Unix seconds.
    #[serde(default)]
    pub(super) window_seen_ahead: Option<u64>,
    /// Made from the words, and no device of its own chosen yet.
    #[serde(default)]
    pub device_open: bool,
    /// The highest device that a mint was seen to know.
    #[serde(default)]
    pub last_device: u32,
    /// Tells its own keys from others, and nothing about them. `None`: they have not been seen yet.
    #[serde(default)]
    pub keys_mark: Option<String>,
    /// A person has been shown the words.
    #[serde(default)]
    pub backed_up: bool,
    /// What was found at mints, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) found: Vec<FoundProofs>,
    /// In a copy: when it was made, in Unix seconds, and the mark of what it holds.
    #[serde(default)]
    pub(super) copied: Option<(u64, String)>,
}

impl Meta {
    /// A mint must not be used before it has been asked what it has signed for us.
    pub fn is_unchecked(&self, mint: &str) -> bool {
        self.checked.as_ref().is_some_and(|checked| !checked.contains(mint))
    }

    /// Remembers that coins were found which the file did not know.
    pub fn remember_found(&mut self, mint: String, at: u64, sats: u64) {
        if sats > 0 {
            self.found.push(FoundProofs { mint, at, sats });
            self.found.drain(..self.found.len().saturating_sub(FINDINGS));
        }
    }

    /// Takes what a deposit of so many sats, asked for at `since`, is to be credited with. `false`:
    /// not as much was found after that.
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

/// The row of a new wallet.
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

/// The row; without it the file is not ours.
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
    /// What the wallet is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn meta(&self) -> Result<Meta, StoreError> {
        self.read(get).await
    }

    /// Changes what the wallet is, durably, and returns it. `real` never goes back to `false`, and
    /// the id stays.
    ///
    /// # Errors
    /// When the file cannot be written; nothing has changed then.
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
