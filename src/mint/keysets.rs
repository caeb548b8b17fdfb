//! A mint's keysets and keys (NUT-01, NUT-02), from memory, the store, or the mint.
//!
//! Fetches the keys of a keyset only when one of its proofs is made or checked.

use std::collections::HashMap;
use std::sync::Arc;

use cdk::nuts::{CurrencyUnit, Id, KeySet, KeySetInfo, Keys};
use tokio::sync::Mutex;

use super::Mint;
use super::denominations::{amount_with_fee, fee_and_amounts};
use super::error::MintError;

/// Keysets and keys in memory.
#[derive(Debug, Default)]
pub(super) struct Keysets {
    listed: Mutex<Option<Vec<KeySetInfo>>>,
    keys: Mutex<HashMap<Id, Arc<KeySet>>>,
}

impl Mint {
    /// Returns each keyset's input fee, in thousandths of a sat per proof. Sends requests only at
    /// the mint's first use.
    ///
    /// # Errors
    /// If a request fails.
    pub async fn fees_ppk(&self) -> Result<HashMap<Id, u64>, MintError> {
        Ok(self
            .keysets_in_sats()
            .await?
            .into_iter()
            .map(|keyset| (keyset.id, keyset.input_fee_ppk))
            .collect())
    }

    /// Returns the current keyset's input fee, in thousandths of a sat per proof. `None`: not
    /// known. No request.
    pub async fn fee_ppk(&self) -> Option<u64> {
        let known = self.client.records.keysets(&self.client.name()).await.ok()?;
        cheapest_active(&known).map(|keyset| keyset.input_fee_ppk)
    }

    /// Fetches the mint's list of keysets, even if one is stored.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn refresh_keysets(&self) -> Result<(), MintError> {
        self.fetch_keysets().await.map(drop)
    }

    pub(super) async fn fetch_keysets(&self) -> Result<Vec<KeySetInfo>, MintError> {
        let listed = self.client.keysets().await?;
        *self.keysets.listed.lock().await = None;
        self.keysets.keys.lock().await.clear();
        Ok(listed)
    }

    /// Returns all known keysets, of every unit. Asks the mint if none is known.
    pub(super) async fn keyset_infos(&self) -> Result<Vec<KeySetInfo>, MintError> {
        let mut listed = self.keysets.listed.lock().await;
        if let Some(known) = listed.as_ref() {
            return Ok(known.clone());
        }
        let mut known = self.client.records.keysets(&self.client.name()).await?;
        if known.is_empty() {
            // The info says whether the mint gives DLEQ proofs; it is not required.
            if let Err(error) = self.refresh_info().await {
                tracing::debug!(%error, "a mint's info could not be fetched");
            }
            known = self.client.keysets().await?;
        }
        *listed = Some(known.clone());
        Ok(known)
    }

    pub(super) async fn keysets_in_sats(&self) -> Result<Vec<KeySetInfo>, MintError> {
        Ok(self.keyset_infos().await?.into_iter().filter(in_sats).collect())
    }

    /// Returns the active sat keyset with the lowest fee, with its keys. Asks the mint if no known
    /// keyset is active.
    pub(super) async fn active_keyset(&self) -> Result<Arc<KeySet>, MintError> {
        let mut known = self.keyset_infos().await?;
        if cheapest_active(&known).is_none() {
            known = self.fetch_keysets().await?;
        }
        let active = cheapest_active(&known)
            .ok_or_else(|| MintError::Wrong("the mint has no active keyset in sats".to_owned()))?;
        self.keyset(active.id).await
    }

    /// Returns the smallest total of the active keyset's proofs that leaves `sats` after their own
    /// fee.
    ///
    /// # Errors
    /// If a request fails; [`MintError::Refused`] if the fee is disproportionate.
    pub async fn amount_with_fee(&self, sats: u64) -> Result<u64, MintError> {
        amount_with_fee(sats, &fee_and_amounts(&*self.active_keyset().await?))
    }

    /// Returns each known keyset's input fee, in thousandths of a sat per proof. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn known_fees_ppk(&self) -> Result<HashMap<Id, u64>, MintError> {
        // The lock is held while the mint is being asked.
        let cached = self.keysets.listed.try_lock().ok().and_then(|listed| listed.clone());
        let known = match cached {
            Some(known) => known,
            None => self.client.records.keysets(&self.client.name()).await?,
        };
        Ok(known
            .into_iter()
            .filter(in_sats)
            .map(|keyset| (keyset.id, keyset.input_fee_ppk))
            .collect())
    }

    /// Returns a sat keyset with its keys, if both are known. No request.
    pub(super) async fn known_keyset(&self, id: Id) -> Result<Option<Arc<KeySet>>, MintError> {
        // The lock is held while the mint is being asked.
        let Ok(mut known) = self.keysets.keys.try_lock() else { return Ok(None) };
        if let Some(keyset) = known.get(&id) {
            return Ok(Some(Arc::clone(keyset)).filter(|keyset| keyset.unit == CurrencyUnit::Sat));
        }
        if !self.known_fees_ppk().await?.contains_key(&id) {
            return Ok(None);
        }
        let info = self
            .client
            .records
            .keysets(&self.client.name())
            .await?
            .into_iter()
            .find(|keyset| keyset.id == id);
        let Some((info, keys)) = info.zip(self.client.records.keys(&id).await?) else {
            return Ok(None);
        };
        let keyset = Arc::new(with_keys(info, keys));
        known.insert(id, Arc::clone(&keyset));
        Ok(Some(keyset))
    }

    /// Returns a keyset of this mint with its keys. Asks the mint if it is not known.
    pub(super) async fn keyset(&self, id: Id) -> Result<Arc<KeySet>, MintError> {
        let info = match self.keyset_infos().await?.into_iter().find(|keyset| keyset.id == id) {
            Some(info) => info,
            None => {
                let listed = self.fetch_keysets().await?;
                listed
                    .into_iter()
                    .find(|keyset| keyset.id == id)
                    .ok_or_else(|| MintError::Wrong("unknown keyset".to_owned()))?
            }
        };
        let mut known = self.keysets.keys.lock().await;
        if let Some(keyset) = known.get(&id) {
            return Ok(Arc::clone(keyset));
        }
        let keys = match self.client.records.keys(&id).await? {
            Some(keys) => keys,
            None => self.client.keys(id).await?.keys,
        };
        let keyset = Arc::new(with_keys(info, keys));
        known.insert(id, Arc::clone(&keyset));
        Ok(keyset)
    }
}

fn with_keys(info: KeySetInfo, keys: Keys) -> KeySet {
    let KeySetInfo { id, unit, active, input_fee_ppk, final_expiry } = info;
    KeySet { id, unit, active: Some(active), keys, input_fee_ppk, final_expiry }
}

fn in_sats(keyset: &KeySetInfo) -> bool {
    keyset.unit == CurrencyUnit::Sat
}

fn cheapest_active(known: &[KeySetInfo]) -> Option<&KeySetInfo> {
    known
        .iter()
        .filter(|keyset| in_sats(keyset) && keyset.active)
        .min_by_key(|keyset| keyset.input_fee_ppk)
}
