//! Counters of derived secrets (NUT-13), separate for each device.
//!
//! A keyset's counter never goes back. Counters that were taken and not signed can be given back,
//! and are reused first.

use cdk_common::nuts::Id;
use redb::{Durability, ReadableTable, WriteTransaction};

use super::error::StoreError;
use super::tables::{COUNTERS_BACK, DERIVATION_COUNTERS, KEYSET_COUNTERS, Reads};
use super::{Store, TxDecision};
use crate::ports::Counters;

/// Returns `count` unused counters, those given back first. Takes none.
pub(super) fn free(
    tx: &impl Reads,
    device: u32,
    keyset: &Id,
    count: usize,
) -> Result<Vec<u32>, StoreError> {
    let id = keyset.to_bytes();
    let mut found = Vec::with_capacity(count);
    let back = tx.table(COUNTERS_BACK)?;
    for entry in
        back.range((device, id.as_slice(), 0)..=(device, id.as_slice(), u32::MAX))?.take(count)
    {
        found.push(entry?.0.value().2);
    }
    let next =
        tx.table(KEYSET_COUNTERS)?.get((device, id.as_slice()))?.map_or(0, |value| value.value());
    let missing =
        u32::try_from(count.saturating_sub(found.len())).map_err(|_| StoreError::Range)?;
    found.extend(next..next.checked_add(missing).ok_or(StoreError::Range)?);
    Ok(found)
}

/// Takes counters for outputs that are about to be made.
pub(super) fn take(tx: &WriteTransaction, counters: &Counters) -> Result<(), StoreError> {
    let id = counters.keyset.to_bytes();
    let (mut back, mut next) = (tx.open_table(COUNTERS_BACK)?, tx.open_table(KEYSET_COUNTERS)?);
    let mut above = next.get((counters.device, id.as_slice()))?.map_or(0, |value| value.value());
    for index in &counters.indices {
        back.remove((counters.device, id.as_slice(), *index))?;
        above = above.max(index.checked_add(1).ok_or(StoreError::Range)?);
    }
    if !counters.indices.is_empty() {
        next.insert((counters.device, id.as_slice()), above)?;
    }
    Ok(())
}

/// Gives back counters whose outputs were not signed and no longer can be.
pub(super) fn give_back(tx: &WriteTransaction, counters: &Counters) -> Result<(), StoreError> {
    let id = counters.keyset.to_bytes();
    let mut back = tx.open_table(COUNTERS_BACK)?;
    for index in &counters.indices {
        back.insert((counters.device, id.as_slice(), *index), ())?;
    }
    Ok(())
}

/// Takes the next number of a namespace.
pub(super) fn next_key(
    tx: &WriteTransaction,
    device: u32,
    namespace: &str,
) -> Result<u32, StoreError> {
    let mut counters = tx.open_table(DERIVATION_COUNTERS)?;
    let this = counters.get((device, namespace))?.map_or(0, |value| value.value());
    counters.insert((device, namespace), this.checked_add(1).ok_or(StoreError::Range)?)?;
    Ok(this)
}

impl Store {
    /// Returns a device's counter of a keyset. It and all higher ones were never used.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn keyset_counter(&self, device: u32, keyset: &Id) -> Result<u32, StoreError> {
        let id = keyset.to_bytes();
        self.read(move |tx| {
            Ok(tx
                .table(KEYSET_COUNTERS)?
                .get((device, id.as_slice()))?
                .map_or(0, |value| value.value()))
        })
        .await
    }

    /// Raises a device's counter of a keyset to `at_least`, the floor that a restore found, and
    /// returns it; a higher counter stays. Counters given back below the floor are forgotten.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn raise_keyset_counter(
        &self,
        device: u32,
        keyset: &Id,
        at_least: u32,
    ) -> Result<u32, StoreError> {
        let id = keyset.to_bytes();
        self.transact(Durability::None, move |tx, _| {
            let mut back = tx.open_table(COUNTERS_BACK)?;
            let below: Vec<u32> = back
                .range((device, id.as_slice(), 0)..(device, id.as_slice(), at_least))?
                .map(|entry| entry.map(|(key, _)| key.value().2))
                .collect::<Result<_, _>>()?;
            for index in &below {
                back.remove((device, id.as_slice(), *index))?;
            }
            let mut counters = tx.open_table(KEYSET_COUNTERS)?;
            let before = counters.get((device, id.as_slice()))?.map_or(0, |value| value.value());
            if before >= at_least {
                return Ok(if below.is_empty() {
                    TxDecision::Abort(before)
                } else {
                    TxDecision::Commit(before)
                });
            }
            counters.insert((device, id.as_slice()), at_least)?;
            Ok(TxDecision::Commit(at_least))
        })
        .await
    }
}
