//! Signed events on their way to relays. An event is signed once, and the same bytes go to every relay, now or later.
//!
//! Never forgets an event before enough relays have acknowledged it, and never lets a deletion go before what it waits for.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::super::error::StoreError;
use super::super::record::{decode, encode};
use super::super::tables::{NOSTR_OUTBOX, Reads};
use super::super::{Store, record};

/// An event to be published.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its id, hex.
    pub id: String,
    /// Its kind.
    pub kind: u16,
    /// The whole event.
    pub json: String,
    /// 0 is most urgent: a zap is somebody's money on its way.
    pub class: u8,
    /// Ids of events that enough relays must have first.
    pub after: Vec<String>,
    /// Where it goes beside the wallet's own relays.
    pub beside: Vec<String>,
    /// Relays that have it.
    pub acked: BTreeSet<String>,
    /// Relays that will not take it, and why, cleaned.
    pub refused: BTreeMap<String, String>,
    /// Rounds so far.
    pub tries: u32,
    /// Not before, in Unix seconds.
    pub next_at: u64,
    /// When it was signed, in Unix seconds.
    pub made_at: u64,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Outgoing {
    /// A signed event that nobody has yet.
    pub fn new(id: &str, kind: u16, json: &str, class: u8, now: u64) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            json: json.to_owned(),
            class,
            after: Vec::new(),
            beside: Vec::new(),
            acked: BTreeSet::new(),
            refused: BTreeMap::new(),
            tries: 0,
            next_at: 0,
            made_at: now,
        }
    }
}

/// An event in the queue, under its place.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its place: class, then the order in which it came.
    pub place: (u8, u64),
    /// The event.
    pub event: Outgoing,
}

/// Puts an event at the end of its class.
pub(in crate::store) fn push(tx: &WriteTransaction, event: &Outgoing) -> Result<(), StoreError> {
    let mut table = tx.open_table(NOSTR_OUTBOX)?;
    let class = event.class;
    let last = table.range((class, 0)..=(class, u64::MAX))?.next_back().transpose()?.map_or(0, |(place, _)| place.value().1);
    table.insert((class, last.saturating_add(1)), encode(event)?.as_slice())?;
    Ok(())
}

impl Store {
    /// All that is on its way, most urgent first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn outbox(&self) -> Result<Vec<Queued>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(NOSTR_OUTBOX)?.iter()? {
                let (place, row) = entry?;
                found.push(Queued { place: place.value(), event: decode("nostr_outbox", row.value())? });
            }
            Ok(found)
        })
        .await
    }

    /// Queues an event, durably.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn queue(&self, event: Outgoing) -> Result<(), StoreError> {
        self.write_durable(move |tx| push(tx, &event)).await
    }

    /// Queues some events in one commit, durably.
    ///
    /// # Errors
    /// When the file cannot be written; none is queued then.
    pub async fn queue_all(&self, events: Vec<Outgoing>) -> Result<(), StoreError> {
        self.write_durable(move |tx| events.iter().try_for_each(|event| push(tx, event))).await
    }

    /// What a round of publishing came to: rows with their new state, and places whose event is done with. In order, not durable: a
    /// lost mark means that an event is sent once more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn published(&self, changed: Vec<Queued>, done: Vec<(u8, u64)>) -> Result<(), StoreError> {
        if changed.is_empty() && done.is_empty() {
            return Ok(());
        }
        self.write(move |tx| {
            for row in &changed {
                record::put(tx, NOSTR_OUTBOX, row.place, &row.event)?;
            }
            let mut table = tx.open_table(NOSTR_OUTBOX)?;
            for place in done {
                table.remove(place)?;
            }
            Ok(())
        })
        .await
    }
}
