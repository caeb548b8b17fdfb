//! Merges token events and deletions from relays, in any order, any number of times.
//!
//! Both sets only grow, so the outcome does not depend on the order (a deletion may arrive before
//! its event). A deletion makes a proof unverified, never spent: programs delete events whose
//! proofs are still good, and relays hide events.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::nut10::Secret as Nut10Secret;
use cdk_common::nuts::{Proof, PublicKey, State};
use cdk_common::wallet::ProofInfo;
use redb::{ReadableTable, Table, WriteTransaction};
use serde::Deserialize;

use super::super::Store;
use super::super::error::StoreError;
use super::super::proofs::key_range;
use super::super::row::{decode, encode};
use super::super::tables::{
    ARCHIVE, NOSTR_DIRTY, NOSTR_EVENTS, NOSTR_GONE, NOSTR_HOLDS, NOSTR_LEFT_OUT, NOSTR_LIVE,
    NOSTR_UNVERIFIED, PROOFS, PROOFS_BY_AMOUNT, Reads, Y,
};
use super::remote_proofs::{self, RemoteProof, RemoteProofState, RemoteProofTables};
use super::{Deletion, EventTimes, TokenEventRow, deletions, mark, times};

/// A token event from a relay, checked and decrypted.
#[derive(Clone, Debug)]
pub struct SeenTokenEvent {
    /// The event; its Ys are those of `proofs`, in their order.
    pub event: TokenEventRow,
    /// The event's proofs.
    pub proofs: Vec<Proof>,
    /// The ids of the events that it replaces.
    pub del: Vec<String>,
}

/// Counts of what a merge added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Events never seen before.
    pub events: u64,
    /// Proofs never seen before.
    pub proofs: u64,
    /// Proofs of ours whose event another device deleted: their mint must be asked.
    pub unverified: u64,
}

fn merge(
    tx: &WriteTransaction,
    seen: Vec<SeenTokenEvent>,
    deletions: &[Deletion],
) -> Result<Merged, StoreError> {
    let (mut events, mut live, mut tombs) =
        (tx.open_table(NOSTR_EVENTS)?, tx.open_table(NOSTR_LIVE)?, tx.open_table(NOSTR_GONE)?);
    let (mut holds, mut dirty, mut unverified) = (
        tx.open_table(NOSTR_HOLDS)?,
        tx.open_table(NOSTR_DIRTY)?,
        tx.open_table(NOSTR_UNVERIFIED)?,
    );
    let (proofs, archive, mut remote) =
        (tx.open_table(PROOFS)?, tx.open_table(ARCHIVE)?, RemoteProofTables::open(tx)?);
    let mut merged = Merged::default();
    let mut shown: Vec<Y> = Vec::new();
    // Events that are gone, with the deletion if known.
    let mut gone: BTreeMap<String, &str> = BTreeMap::new();
    for deletion in deletions {
        deletions::put(tx, deletion)?;
        gone.extend(deletion.ids.iter().map(|id| (id.clone(), deletion.id.as_str())));
    }
    let replaced = |gone: &mut BTreeMap<String, &str>, del: Vec<String>| {
        for id in del {
            gone.entry(id).or_default();
        }
    };
    let mut forked: BTreeSet<String> = BTreeSet::new();
    // Events that replace others: their time, their proofs, and what they replace.
    let mut successors: Vec<(u64, BTreeSet<Y>, Vec<String>)> = Vec::new();
    for SeenTokenEvent { mut event, proofs: coins, del } in seen {
        if events.get(event.id.as_str())?.is_some() {
            replaced(&mut gone, del);
            continue;
        }
        for id in &del {
            // Another device replaced an event that we have replaced too: it may have spent proofs
            // that our own successor still shows.
            if events.get(id.as_str())?.is_some() && live.get(id.as_str())?.is_none() {
                forked.insert(event.mint.clone());
            }
        }
        if !del.is_empty() {
            successors.push((
                event.created_at,
                event.ys.iter().map(PublicKey::to_bytes).collect(),
                del.clone(),
            ));
        }
        replaced(&mut gone, del);
        merged.events = merged.events.saturating_add(1);
        let is_live = tombs.get(event.id.as_str())?.is_none();
        if is_live {
            live.insert(event.id.as_str(), ())?;
        }
        for (y, proof) in event.ys.iter().zip(coins) {
            let y = y.to_bytes();
            if is_live {
                holds.insert((&y, event.id.as_str()), ())?;
            }
            shown.push(y);
            let ours = proofs.get(&y)?.is_some() || archive.get(&y)?.is_some();
            if !ours && remote.get(&y)?.is_none() {
                let (mint, unit) = (event.mint.clone(), event.unit.clone());
                let amount = proof.amount.to_u64();
                let state = if is_locked(&proof) {
                    RemoteProofState::Locked
                } else {
                    RemoteProofState::Unverified
                };
                remote.put(&y, &RemoteProof { mint, unit, amount, proof: Some(proof), state })?;
                merged.proofs = merged.proofs.saturating_add(1);
            }
        }
        if !is_live {
            event.clear_deleted(&mut holds)?;
        }
        events.insert(event.id.as_str(), encode(&event)?.as_slice())?;
    }
    let mut left_out: BTreeMap<Y, u64> = BTreeMap::new();
    for (at, keeps, del) in &successors {
        let ys = ys_of(&events, del)?;
        left_out.extend(ys.into_iter().filter(|y| !keeps.contains(y)).map(|y| (y, *at)));
    }
    for (id, by) in &gone {
        deletions::add_tombstone(&mut tombs, id, by)?;
        if live.remove(id.as_str())?.is_none() {
            continue;
        }
        let row: Option<TokenEventRow> =
            events.get(id.as_str())?.map(|row| decode("nostr_events", row.value())).transpose()?;
        if let Some(mut row) = row {
            shown.extend(row.ys.iter().map(PublicKey::to_bytes));
            row.clear_deleted(&mut holds)?;
            events.insert(id.as_str(), encode(&row)?.as_slice())?;
        }
    }
    for mint in &forked {
        merged.unverified =
            merged.unverified.saturating_add(mark_all_unverified(tx, &mut unverified, mint)?);
    }
    let mut table = tx.open_table(NOSTR_LEFT_OUT)?;
    for y in shown.into_iter().collect::<BTreeSet<Y>>() {
        let ours: Option<ProofInfo> =
            proofs.get(&y)?.map(|row| decode("proofs", row.value())).transpose()?;
        let is_shown = held(&holds, &live, &y)?;
        if is_shown {
            table.remove(&y)?;
        }
        match (ours, remote.get(&y)?) {
            (Some(coin), _) if !is_shown && coin.state == State::Unspent => {
                unverified.insert(&y, ())?;
                merged.unverified = merged.unverified.saturating_add(1);
            }
            (Some(_), _) => mark(&mut dirty, &y)?,
            (None, Some(coin)) if !is_shown && coin.is_free() => {
                remote.put(&y, &RemoteProof { state: RemoteProofState::Unverified, ..coin })?;
            }
            // It was only moved: the event that shows it is newer.
            (None, Some(coin)) if is_shown && coin.state == RemoteProofState::LeftOut => {
                remote.put(&y, &RemoteProof { state: RemoteProofState::Unverified, ..coin })?;
            }
            (None, Some(coin)) if !coin.state.is_final() => {}
            // It is spent, according to our archive or the mint: an event that still shows it must
            // be replaced.
            (None, _) if is_shown => mark(&mut dirty, &y)?,
            (None, _) => {}
        }
    }
    for (y, at) in &left_out {
        // A proof that another event shows was only moved.
        if !held(&holds, &live, y)? && remote.get(y)?.is_some_and(|coin| !coin.state.is_final()) {
            table.insert(y, at)?;
        }
    }
    Ok(merged)
}

/// Returns whether the proof is locked (NUT-10). Whether a key of ours unlocks it is checked
/// elsewhere.
fn is_locked(proof: &Proof) -> bool {
    Nut10Secret::try_from(proof.secret.clone()).is_ok()
}

/// Marks all unspent proofs at a mint, in sats, as unverified. Returns how many are newly marked.
fn mark_all_unverified(
    tx: &WriteTransaction,
    unverified: &mut Table<'_, &'static Y, ()>,
    mint: &str,
) -> Result<u64, StoreError> {
    let mut fresh = 0_u64;
    for entry in tx.open_table(PROOFS_BY_AMOUNT)?.range(key_range(
        mint,
        "sat",
        State::Unspent,
        0,
        u64::MAX,
    ))? {
        fresh =
            fresh.saturating_add(u64::from(unverified.insert(entry?.0.value().4, ())?.is_none()));
    }
    Ok(fresh)
}

/// Returns the Ys of these events' proofs.
fn ys_of(
    events: &impl ReadableTable<&'static str, &'static [u8]>,
    ids: &[String],
) -> Result<Vec<Y>, StoreError> {
    let mut ys = Vec::new();
    for id in ids {
        if let Some(row) = events.get(id.as_str())? {
            let row: TokenEventRow = decode("nostr_events", row.value())?;
            ys.extend(row.ys.iter().map(PublicKey::to_bytes));
        }
    }
    Ok(ys)
}

/// Returns whether a live event holds this proof.
pub(super) fn held(
    holds: &impl ReadableTable<(&'static Y, &'static str), ()>,
    live: &impl ReadableTable<&'static str, ()>,
    y: &Y,
) -> Result<bool, StoreError> {
    for entry in holds.range((y, "")..=(y, "~"))? {
        if live.get(entry?.0.value().1)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Store {
    /// Merges token events and deletions, durably, and counts what was new. Merging them again
    /// changes nothing.
    ///
    /// # Errors
    /// If the file cannot be written; then nothing was merged.
    pub async fn merge_events(
        &self,
        seen: Vec<SeenTokenEvent>,
        gone: Vec<Deletion>,
    ) -> Result<Merged, StoreError> {
        if seen.is_empty() && gone.is_empty() {
            return Ok(Merged::default());
        }
        self.write_durable(move |tx| merge(tx, seen, &gone)).await
    }

    /// Returns all token events that were ever seen or made, including those that are gone.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn known_token_events(&self) -> Result<EventTimes, StoreError> {
        #[derive(Deserialize)]
        struct At {
            created_at: u64,
        }
        self.read(|tx| times("nostr_events", &tx.table(NOSTR_EVENTS)?, |row: At| row.created_at))
            .await
    }

    /// Returns whether a token event was seen or made before.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn knows_token_event(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| Ok(tx.table(NOSTR_EVENTS)?.get(id.as_str())?.is_some())).await
    }

    /// Lists the live token events, which relays should hold.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn live_token_events(&self) -> Result<Vec<TokenEventRow>, StoreError> {
        self.read(|tx| {
            let events = tx.table(NOSTR_EVENTS)?;
            let mut found = Vec::new();
            for entry in tx.table(NOSTR_LIVE)?.iter()? {
                if let Some(row) = events.get(entry?.0.value())? {
                    found.push(decode("nostr_events", row.value())?);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Lists the unspent proofs of ours at one mint whose event another device has deleted.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn unverified_proofs(&self, mint: String) -> Result<Vec<ProofInfo>, StoreError> {
        self.read(move |tx| {
            let proofs = tx.table(PROOFS)?;
            let mut found = Vec::new();
            for entry in tx.table(NOSTR_UNVERIFIED)?.iter()? {
                let y = *entry?.0.value();
                let coin: Option<ProofInfo> =
                    proofs.get(&y)?.map(|row| decode("proofs", row.value())).transpose()?;
                found.extend(coin.filter(|coin| {
                    coin.mint_url.to_string() == mint && coin.state == State::Unspent
                }));
            }
            Ok(found)
        })
        .await
    }

    /// Marks all unspent proofs at a mint, in sats, as unverified, because another device has spent
    /// some of ours there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn mark_all_unverified(&self, mint: String) -> Result<(), StoreError> {
        self.write_durable(move |tx| {
            mark_all_unverified(tx, &mut tx.open_table(NOSTR_UNVERIFIED)?, &mint)?;
            Ok(())
        })
        .await
    }

    /// Marks the proofs of these live events as unverified, because no relay shows the events any
    /// more.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn mark_events_unverified(&self, ids: Vec<String>) -> Result<(), StoreError> {
        self.write_durable(move |tx| {
            let (proofs, mut unverified, mut remote) = (
                tx.open_table(PROOFS)?,
                tx.open_table(NOSTR_UNVERIFIED)?,
                RemoteProofTables::open(tx)?,
            );
            for y in ys_of(&tx.open_table(NOSTR_EVENTS)?, &ids)? {
                let ours: Option<ProofInfo> =
                    proofs.get(&y)?.map(|row| decode("proofs", row.value())).transpose()?;
                if ours.is_some_and(|coin| coin.state == State::Unspent) {
                    unverified.insert(&y, ())?;
                } else if let Some(coin) = remote.get(&y)?.filter(|coin| coin.is_free()) {
                    remote.put(&y, &RemoteProof { state: RemoteProofState::Unverified, ..coin })?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Returns those of these events that hold an unverified proof.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn unverified_events(
        &self,
        ids: Vec<String>,
    ) -> Result<BTreeSet<String>, StoreError> {
        self.read(move |tx| {
            let (events, unverified) = (tx.table(NOSTR_EVENTS)?, tx.table(NOSTR_UNVERIFIED)?);
            let mut found = BTreeSet::new();
            for id in ids {
                for y in ys_of(&events, std::slice::from_ref(&id))? {
                    let is_unverified = remote_proofs::get(tx, &y)?
                        .is_some_and(|coin| coin.state == RemoteProofState::Unverified);
                    if is_unverified || unverified.get(&y)?.is_some() {
                        found.insert(id.clone());
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// Marks proofs as verified, after their mint was asked, and as changed for relays.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn mark_verified(&self, ys: Vec<PublicKey>) -> Result<(), StoreError> {
        self.write_durable(move |tx| {
            let (mut unverified, mut dirty) =
                (tx.open_table(NOSTR_UNVERIFIED)?, tx.open_table(NOSTR_DIRTY)?);
            for y in ys {
                unverified.remove(&y.to_bytes())?;
                mark(&mut dirty, &y.to_bytes())?;
            }
            Ok(())
        })
        .await
    }
}
