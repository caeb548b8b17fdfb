//! Signed events on their way to relays. An event is signed once, and the same bytes go to every
//! relay, now or later.
//!
//! An event leaves the queue once enough relays have it. Relays that did not get it are counted,
//! and relays that refuse it are remembered, so that a later read of a relay can fill its gaps
//! without offering what it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::super::error::StoreError;
use super::super::row::{decode, encode};
use super::super::tables::{NOSTR_DELIVERED, NOSTR_MISSED, NOSTR_OUTBOX, NOSTR_REFUSED, Reads};
use super::super::{Store, row};

/// An event to publish.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEvent {
    /// The event's id, hex.
    pub id: String,
    /// The event's kind.
    pub kind: u16,
    /// The whole event.
    pub json: String,
    /// The class: 0 is the most urgent, for a zap, which carries someone's money.
    pub class: u8,
    /// Ids of events that enough relays must have first.
    pub after: Vec<String>,
    /// The recipient's relays, tried before the wallet's own: the event counts as published once
    /// one of them has it. Empty for an event without a recipient.
    pub beside: Vec<String>,
    /// `true` if it is signed with a throwaway key. It is then sent only over connections that have
    /// not identified us.
    pub anonymous: bool,
    /// Relays that have it.
    pub acked: BTreeSet<String>,
    /// Relays that refuse it, with the reason, cleaned.
    pub refused: BTreeMap<String, String>,
    /// Number of rounds so far.
    pub tries: u32,
    /// The earliest next attempt, in Unix seconds.
    pub next_at: u64,
    /// Unix seconds at which it was signed.
    pub made_at: u64,
}

impl std::fmt::Debug for OutboxEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxEvent")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl OutboxEvent {
    /// Creates a signed event that no relay has yet.
    pub fn new(id: &str, kind: u16, json: &str, class: u8, now: u64) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            json: json.to_owned(),
            class,
            after: Vec::new(),
            beside: Vec::new(),
            anonymous: false,
            acked: BTreeSet::new(),
            refused: BTreeMap::new(),
            tries: 0,
            next_at: 0,
            made_at: now,
        }
    }
}

impl OutboxEvent {
    /// Returns the number of the recipient's relays that have it.
    pub fn delivered(&self) -> u64 {
        self.beside.iter().filter(|url| self.acked.contains(*url)).count() as u64
    }
}

/// An event in the queue, with its place.
#[derive(Clone, Debug)]
pub struct QueuedEvent {
    /// The place: the class, then the order of arrival.
    pub place: (u8, u64),
    /// The event.
    pub event: OutboxEvent,
}

/// A relay's lasting refusal of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayRefusal {
    /// The event's id.
    pub id: String,
    /// The relay.
    pub relay: String,
    /// The event's class.
    pub class: u8,
    /// The relay's reason, cleaned.
    pub reason: String,
}

/// Result of a publish round.
#[derive(Clone, Debug, Default)]
pub struct PublishRound {
    /// Rows with their new state.
    pub changed: Vec<QueuedEvent>,
    /// Places of finished events.
    pub done: Vec<(u8, u64)>,
    /// Nutzaps, each with the number of the recipient's relays that have it.
    pub delivered: Vec<(String, u64)>,
    /// Relays' refusals of finished events.
    pub refused: Vec<RelayRefusal>,
    /// Accepted events, each with its relay. A relay that accepts what it refused before may accept
    /// the rest too, so its refusals are forgotten.
    pub stored: Vec<(String, String)>,
    /// Relays that did not get a finished event, once for each event.
    pub missed: Vec<String>,
}

/// Adds an event to the end of its class.
pub(in crate::store) fn push(tx: &WriteTransaction, event: &OutboxEvent) -> Result<(), StoreError> {
    let mut table = tx.open_table(NOSTR_OUTBOX)?;
    let class = event.class;
    let last = table
        .range((class, 0)..=(class, u64::MAX))?
        .next_back()
        .transpose()?
        .map_or(0, |(place, _)| place.value().1);
    table.insert((class, last.saturating_add(1)), encode(event)?.as_slice())?;
    Ok(())
}

fn rows(tx: &impl Reads, classes: RangeInclusive<u8>) -> Result<Vec<QueuedEvent>, StoreError> {
    let mut found = Vec::new();
    for entry in
        tx.table(NOSTR_OUTBOX)?.range((*classes.start(), 0)..=(*classes.end(), u64::MAX))?
    {
        let (place, row) = entry?;
        found.push(QueuedEvent {
            place: place.value(),
            event: decode("nostr_outbox", row.value())?,
        });
    }
    Ok(found)
}

fn commit(tx: &WriteTransaction, round: &PublishRound) -> Result<(), StoreError> {
    for row in &round.changed {
        row::put(tx, NOSTR_OUTBOX, row.place, &row.event)?;
    }
    let (mut queue, mut missed) = (tx.open_table(NOSTR_OUTBOX)?, tx.open_table(NOSTR_MISSED)?);
    for place in &round.done {
        queue.remove(*place)?;
    }
    for url in &round.missed {
        let before = missed.get(url.as_str())?.map_or(0, |count| count.value());
        missed.insert(url.as_str(), before.saturating_add(1))?;
    }
    let (mut delivered, mut refused) =
        (tx.open_table(NOSTR_DELIVERED)?, tx.open_table(NOSTR_REFUSED)?);
    for (id, relays) in &round.delivered {
        delivered.insert(id.as_str(), *relays)?;
    }
    if !refused.is_empty()? {
        for (id, url) in &round.stored {
            if refused.get((id.as_str(), url.as_str()))?.is_some() {
                refused.retain(|(_, of), _| of != url)?;
            }
        }
    }
    for no in &round.refused {
        refused.insert((no.id.as_str(), no.relay.as_str()), (no.class, no.reason.as_str()))?;
    }
    Ok(())
}

impl Store {
    /// Lists the queued events, most urgent first.
    ///
    /// # Errors
    /// If the file cannot be read; the same holds for all lookups.
    pub async fn outbox(&self) -> Result<Vec<QueuedEvent>, StoreError> {
        self.read(|tx| rows(tx, 0..=u8::MAX)).await
    }

    /// Lists the queued events of one class. Reads no other row.
    ///
    /// # Errors
    /// See [`Store::outbox`].
    pub async fn queued_in(&self, class: u8) -> Result<Vec<QueuedEvent>, StoreError> {
        self.read(move |tx| rows(tx, class..=class)).await
    }

    /// Counts the queued events. Reads no row.
    ///
    /// # Errors
    /// See [`Store::outbox`].
    pub async fn queued(&self) -> Result<u64, StoreError> {
        self.read(|tx| Ok(tx.table(NOSTR_OUTBOX)?.len()?)).await
    }

    /// Returns the number of the recipient's relays that have this nutzap of ours. `None` if none
    /// ever had it.
    ///
    /// # Errors
    /// See [`Store::outbox`].
    pub async fn delivered(&self, id: &str) -> Result<Option<u64>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| {
            Ok(tx.table(NOSTR_DELIVERED)?.get(id.as_str())?.map(|relays| relays.value()))
        })
        .await
    }

    /// Returns how many events left the queue without this relay since it was last read to its end.
    ///
    /// # Errors
    /// See [`Store::outbox`].
    pub async fn missed(&self, url: &str) -> Result<u64, StoreError> {
        let url = url.to_owned();
        self.read(move |tx| {
            Ok(tx.table(NOSTR_MISSED)?.get(url.as_str())?.map_or(0, |count| count.value()))
        })
        .await
    }

    /// Resets the count of missed events of relays that were read to their end: each missing event
    /// is now known by its id. Not durable: events count twice after a loss.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn forget_missed(&self, urls: Vec<String>) -> Result<(), StoreError> {
        let counted = urls.clone();
        let any = self.read(move |tx| {
            let table = tx.table(NOSTR_MISSED)?;
            for url in &counted {
                if table.get(url.as_str())?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        if !any.await? {
            return Ok(());
        }
        self.write(move |tx| {
            Ok(tx.open_table(NOSTR_MISSED)?.retain(|url, _| !urls.iter().any(|one| one == url))?)
        })
        .await
    }

    /// Lists the relays' refusals.
    ///
    /// # Errors
    /// See [`Store::outbox`].
    pub async fn refusals(&self) -> Result<Vec<RelayRefusal>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(NOSTR_REFUSED)?.iter()? {
                let (key, no) = entry?;
                let ((id, relay), (class, reason)) = (key.value(), no.value());
                found.push(RelayRefusal {
                    id: id.to_owned(),
                    relay: relay.to_owned(),
                    class,
                    reason: reason.to_owned(),
                });
            }
            Ok(found)
        })
        .await
    }

    /// Forgets refusals of events that need not be published there any more. Not durable.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn forget_refusals(&self, these: Vec<RelayRefusal>) -> Result<(), StoreError> {
        if these.is_empty() {
            return Ok(());
        }
        self.write(move |tx| {
            let mut table = tx.open_table(NOSTR_REFUSED)?;
            for no in &these {
                table.remove((no.id.as_str(), no.relay.as_str()))?;
            }
            Ok(())
        })
        .await
    }

    /// Queues an event, durably.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn queue(&self, event: OutboxEvent) -> Result<(), StoreError> {
        self.write_durable(move |tx| push(tx, &event)).await
    }

    /// Queues events in one durable commit.
    ///
    /// # Errors
    /// If the file cannot be written; then none is queued.
    pub async fn queue_all(&self, events: Vec<OutboxEvent>) -> Result<(), StoreError> {
        self.write_durable(move |tx| events.iter().try_for_each(|event| push(tx, event))).await
    }

    /// Records the result of a publish round. Not durable: after a loss, an event is sent once
    /// more.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn published(&self, round: PublishRound) -> Result<(), StoreError> {
        if round.changed.is_empty() && round.done.is_empty() {
            return Ok(());
        }
        self.write(move |tx| commit(tx, &round)).await
    }
}
