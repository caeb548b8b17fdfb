//! Input and result of a mirror round, which brings the token events on relays in line with the
//! store: the changed proofs, the live events that hold them, and the events that replace those.
//!
//! A round plans from one snapshot. Its commit clears only the marks that the round has seen, so
//! that a change in between is not forgotten.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey, State};
use redb::{ReadableTable, WriteTransaction};

use super::super::error::StoreError;
use super::super::row::{decode, encode};
use super::super::tables::{
    NOSTR_DIRTY, NOSTR_EVENTS, NOSTR_GONE, NOSTR_HOLDS, NOSTR_LIVE, NOSTR_TO_ANNOUNCE,
    NOSTR_UNVERIFIED, Reads, SEEN_HISTORY, Y,
};
use super::super::{Store, proofs};
use super::TokenEventRow;
use super::deletions::{self, Deletion};
use super::nutzaps::{self, NutzapChanges};
use super::outbox::{self, OutboxEvent};
use super::remote_proofs::{self, RemoteProofState};
use crate::model::id::PaymentId;

/// Kind of a history event (NIP-60).
const HISTORY_KIND: u16 = 7376;

/// A proof, as relays should show it.
#[derive(Clone, PartialEq, Eq)]
pub struct HeldProof {
    /// The mint.
    pub mint: String,
    /// The unit.
    pub unit: String,
    /// The amount.
    pub amount: u64,
    /// The proof. `None` for another device's proof that is spent.
    pub proof: Option<Proof>,
    /// `true` if relays should hold it: ours, or another device's that is not known to be spent.
    /// `false` for one that is spent or handed out.
    pub wanted: bool,
    /// `true` if it is or was ours, or was adopted: its changes belong to this wallet's history.
    pub ours: bool,
}

impl std::fmt::Debug for HeldProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldProof")
            .field("wanted", &self.wanted)
            .field("ours", &self.ours)
            .finish_non_exhaustive()
    }
}

/// Changed proofs, and what they affect.
#[derive(Clone, Debug, Default)]
pub struct OutboxView {
    /// Changed proofs, each with the mark to clear.
    pub dirty: Vec<(PublicKey, u64)>,
    /// Proofs by Y: the changed ones, and all others in `events`. Unknown ones are left out.
    pub proofs: BTreeMap<PublicKey, HeldProof>,
    /// Live events that hold a changed proof.
    pub events: Vec<TokenEventRow>,
    /// Proofs that a live event outside `events` holds.
    pub elsewhere: BTreeSet<PublicKey>,
}

/// Result of a mirror round.
#[derive(Clone, Debug, Default)]
pub struct QueueRound {
    /// Marks to clear.
    pub done: Vec<(PublicKey, u64)>,
    /// New token events.
    pub new: Vec<TokenEventRow>,
    /// Ids of the events that `new` replaces.
    pub gone: Vec<String>,
    /// Deletions of those events.
    pub deletions: Vec<Deletion>,
    /// Events to publish.
    pub outgoing: Vec<OutboxEvent>,
    /// Nutzaps that `outgoing` announces, which finishes them.
    pub nutzaps: NutzapChanges,
    /// Payments that `outgoing` announces.
    pub announced: Vec<PaymentId>,
}

fn key(y: &Y) -> Result<PublicKey, StoreError> {
    PublicKey::from_slice(y).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn view(tx: &impl Reads, limit: usize) -> Result<OutboxView, StoreError> {
    let (unverified, live) = (tx.table(NOSTR_UNVERIFIED)?, tx.table(NOSTR_LIVE)?);
    let (holds, events) = (tx.table(NOSTR_HOLDS)?, tx.table(NOSTR_EVENTS)?);
    let mut view = OutboxView::default();
    let mut ids = BTreeSet::new();
    let mut touched = BTreeSet::new();
    let holders = |y: &Y| -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for entry in holds.range((y, "")..=(y, "~"))? {
            let id = entry?.0.value().1.to_owned();
            if live.get(id.as_str())?.is_some() {
                found.push(id);
            }
        }
        Ok(found)
    };
    for entry in tx.table(NOSTR_DIRTY)?.iter()? {
        let (y, mark) = entry?;
        let y = *y.value();
        // An unverified proof is published after its mint was asked. One that is spent or held by
        // now is no longer unverified.
        let is_unverified = unverified.get(&y)?.is_some();
        if is_unverified
            && proofs::by_ys(tx, &[y])?.first().is_some_and(|coin| coin.state == State::Unspent)
        {
            continue;
        }
        if view.dirty.len() >= limit {
            break;
        }
        view.dirty.push((key(&y)?, mark.value()));
        touched.insert(y);
        ids.extend(holders(&y)?);
    }
    for id in &ids {
        if let Some(row) = events.get(id.as_str())? {
            let row: TokenEventRow = decode("nostr_events", row.value())?;
            touched.extend(row.ys.iter().map(PublicKey::to_bytes));
            view.events.push(row);
        }
    }
    for y in touched {
        let coin = match proofs::by_ys(tx, &[y])?.pop() {
            Some(coin) => Some(HeldProof {
                mint: coin.mint_url.to_string(),
                unit: coin.unit.to_string(),
                amount: coin.proof.amount.to_u64(),
                wanted: !matches!(coin.state, State::PendingSpent | State::Spent)
                    && coin.spending_condition.is_none(),
                proof: Some(coin.proof),
                ours: true,
            }),
            None => remote_proofs::get(tx, &y)?.map(|coin| HeldProof {
                wanted: coin.proof.is_some(),
                ours: coin.state == RemoteProofState::Adopted,
                mint: coin.mint,
                unit: coin.unit,
                amount: coin.amount,
                proof: coin.proof,
            }),
        };
        let y_key = key(&y)?;
        if holders(&y)?.iter().any(|id| !ids.contains(id)) {
            view.elsewhere.insert(y_key);
        }
        if let Some(coin) = coin {
            view.proofs.insert(y_key, coin);
        }
    }
    Ok(view)
}

fn commit(tx: &WriteTransaction, round: &QueueRound) -> Result<(), StoreError> {
    let mut dirty = tx.open_table(NOSTR_DIRTY)?;
    for (y, mark) in &round.done {
        let y = y.to_bytes();
        let same = dirty.get(&y)?.is_some_and(|now| now.value() == *mark);
        if same {
            dirty.remove(&y)?;
        }
    }
    let (mut events, mut live, mut tombs) =
        (tx.open_table(NOSTR_EVENTS)?, tx.open_table(NOSTR_LIVE)?, tx.open_table(NOSTR_GONE)?);
    let mut holds = tx.open_table(NOSTR_HOLDS)?;
    for event in &round.new {
        events.insert(event.id.as_str(), encode(event)?.as_slice())?;
        live.insert(event.id.as_str(), ())?;
        for y in &event.ys {
            holds.insert((&y.to_bytes(), event.id.as_str()), ())?;
        }
    }
    for deletion in &round.deletions {
        deletions::put(tx, deletion)?;
        for id in &deletion.ids {
            deletions::add_tombstone(&mut tombs, id, &deletion.id)?;
        }
    }
    for id in &round.gone {
        deletions::add_tombstone(&mut tombs, id, "")?;
        live.remove(id.as_str())?;
        let row: Option<TokenEventRow> =
            events.get(id.as_str())?.map(|row| decode("nostr_events", row.value())).transpose()?;
        if let Some(mut row) = row {
            row.clear_deleted(&mut holds)?;
            events.insert(id.as_str(), encode(&row)?.as_slice())?;
        }
    }
    for outgoing in &round.outgoing {
        outbox::push(tx, outgoing)?;
    }
    nutzaps::put(tx, &round.nutzaps)?;
    let (mut to_announce, mut history) =
        (tx.open_table(NOSTR_TO_ANNOUNCE)?, tx.open_table(SEEN_HISTORY)?);
    for id in &round.announced {
        to_announce.remove(id.as_str())?;
    }
    for event in round.outgoing.iter().filter(|event| event.kind == HISTORY_KIND) {
        history.insert(event.id.as_str(), event.made_at)?;
    }
    Ok(())
}

impl Store {
    /// Returns at most `limit` changed proofs, and what they affect.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn outbox_view(&self, limit: usize) -> Result<OutboxView, StoreError> {
        self.read(move |tx| view(tx, limit)).await
    }

    /// Ends a round in one durable commit.
    ///
    /// # Errors
    /// If the file cannot be written; then the round has no effect.
    pub async fn mirrored(&self, round: QueueRound) -> Result<(), StoreError> {
        self.write_durable(move |tx| commit(tx, &round)).await
    }

    /// Counts the changed proofs that are not published yet.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn unmirrored(&self) -> Result<u64, StoreError> {
        self.read(|tx| Ok(redb::ReadableTableMetadata::len(&tx.table(NOSTR_DIRTY)?)?)).await
    }
}
