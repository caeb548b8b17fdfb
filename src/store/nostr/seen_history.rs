//! History events on relays (NIP-60, kind 7376), from which this wallet's devices learn which
//! invoices are paid. Best effort: an event that no relay has shown is unknown.

use redb::{ReadableTable, WriteTransaction};

use super::super::error::StoreError;
use super::super::tables::{NOSTR_PAID, NOSTR_TO_ANNOUNCE, Reads, SEEN_HISTORY};
use super::super::{Store, payments};
use super::EventTimes;
use crate::model::id::PaymentId;
use crate::model::payment::Payment;

/// Marks a payment to be announced on relays, if Nostr was ever on.
pub(in crate::store) fn announce(tx: &WriteTransaction, id: &PaymentId) -> Result<(), StoreError> {
    if super::begun(tx)? {
        tx.open_table(NOSTR_TO_ANNOUNCE)?.insert(id.as_str(), ())?;
    }
    Ok(())
}

impl Store {
    /// Lists the settled payments that are not announced on relays yet.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn payments_to_announce(&self) -> Result<Vec<Payment>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(NOSTR_TO_ANNOUNCE)?.iter()? {
                found.extend(payments::get(tx, entry?.0.value())?);
            }
            Ok(found)
        })
        .await
    }

    /// Returns the history events that were read or written, dated `since` (Unix seconds) or later.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn known_history_events(&self, since: u64) -> Result<EventTimes, StoreError> {
        self.read(move |tx| {
            let lines = tx.table(SEEN_HISTORY)?;
            let all = lines
                .iter()?
                .map(|entry| entry.map(|(id, at)| (id.value().to_owned(), at.value())));
            Ok(all
                .filter(|one| one.as_ref().map_or(true, |(_, at)| *at >= since))
                .collect::<Result<EventTimes, _>>()?)
        })
        .await
    }

    /// Adds history events: ids, times, and the payment hash if there is one. Not durable: lost
    /// ones are read again.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn add_history_events(
        &self,
        lines: Vec<(String, u64, Option<String>)>,
    ) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.write(move |tx| {
            let (mut known, mut paid) = (tx.open_table(SEEN_HISTORY)?, tx.open_table(NOSTR_PAID)?);
            for (id, at, hash) in lines {
                known.insert(id.as_str(), at)?;
                if let Some(hash) = hash {
                    paid.insert(hash.as_str(), ())?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Returns whether a device has announced that it paid the invoice of this hash.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn paid_elsewhere(&self, hash: &str) -> Result<bool, StoreError> {
        let hash = hash.to_owned();
        self.read(move |tx| Ok(tx.table(NOSTR_PAID)?.get(hash.as_str())?.is_some())).await
    }
}
