//! Counters of secrets already derived, each device its own (NUT-13).
//!
//! Never goes back: a counter only grows, and reading one commits nothing.

use cdk_common::nuts::Id;
use redb::{Durability, ReadableTable};

use super::error::StoreError;
use super::tables::{DERIVATION_COUNTERS, KEYSET_COUNTERS, Reads};
use super::{Store, Verdict};

impl Store {
    /// Adds `count` to a device's counter of a keyset and returns the new value. `0` only reads.
    pub(super) async fn increment_keyset(&self, device: u32, keyset: &Id, count: u32) -> Result<u32, StoreError> {
        let id = keyset.to_bytes();
        if count == 0 {
            return self
                .read(move |tx| Ok(tx.table(KEYSET_COUNTERS)?.get((device, id.as_slice()))?.map_or(0, |value| value.value())))
                .await;
        }
        self.write(move |tx| {
            let mut counters = tx.open_table(KEYSET_COUNTERS)?;
            let before = counters.get((device, id.as_slice()))?.map_or(0, |value| value.value());
            let after = before.checked_add(count).ok_or(StoreError::Range)?;
            counters.insert((device, id.as_slice()), after)?;
            Ok(after)
        })
        .await
    }

    /// Sets a device's counter of a keyset to `at_least`, unless it is already beyond, and returns it: what a restore has seen
    /// is a floor, never something to add.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn raise_keyset_counter(&self, device: u32, keyset: &Id, at_least: u32) -> Result<u32, StoreError> {
        let id = keyset.to_bytes();
        self.transact(Durability::None, move |tx, _| {
            let mut counters = tx.open_table(KEYSET_COUNTERS)?;
            let before = counters.get((device, id.as_slice()))?.map_or(0, |value| value.value());
            if before >= at_least {
                return Ok(Verdict::Leave(before));
            }
            counters.insert((device, id.as_slice()), at_least)?;
            Ok(Verdict::Keep(at_least))
        })
        .await
    }

    /// Adds `count` to a device's counter of a namespace and returns the new value. `0` only reads.
    pub(super) async fn increment_derivation(&self, device: u32, namespace: &str, count: u32) -> Result<u32, StoreError> {
        let namespace = namespace.to_owned();
        if count == 0 {
            return self
                .read(move |tx| Ok(tx.table(DERIVATION_COUNTERS)?.get((device, namespace.as_str()))?.map_or(0, |value| value.value())))
                .await;
        }
        self.write(move |tx| {
            let mut counters = tx.open_table(DERIVATION_COUNTERS)?;
            let before = counters.get((device, namespace.as_str()))?.map_or(0, |value| value.value());
            let after = before.checked_add(count).ok_or(StoreError::Range)?;
            counters.insert((device, namespace.as_str()), after)?;
            Ok(after)
        })
        .await
    }
}
