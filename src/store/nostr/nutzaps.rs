//! Received nutzaps (NIP-61): those that wait or are redeemed, and the ids of those that are
//! finished.
//!
//! Ids of finished nutzaps are forgotten after some time; the Ys of received proofs are not, so
//! that a mint is never asked about a copy of them.

use std::collections::BTreeSet;

use cdk_common::nuts::{Proof, PublicKey};
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::super::error::StoreError;
use super::super::tables::{NUTZAP_PROOFS, NUTZAPS, NUTZAPS_DONE, NUTZAPS_OPEN, Reads};
use super::super::{Store, row};
use super::{EventTimes, times};
use crate::model::id::ReceiveId;
use crate::model::mint::MintAddress;

/// Progress of a nutzap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NutzapState {
    /// Not redeemed yet: the mint has not answered or is not in use, or the key is unknown.
    Waiting,
    /// A swap of ours, in the journal, redeems exactly these proofs.
    Swapping,
    /// Redeemed as this receive, and not announced on relays yet.
    Taken(ReceiveId),
}

/// A nutzap that is neither refused for good nor announced on relays.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NutzapRow {
    /// The event's id, 64 hex characters.
    pub id: String,
    /// The relay where it was first seen.
    pub relay: String,
    /// The sender's key, 64 hex characters.
    pub sender: String,
    /// `true` if the proofs themselves name the sender.
    pub sender_proven: bool,
    /// `true` if someone other than the sender published it.
    pub is_copy: bool,
    /// The mint.
    pub mint: MintAddress,
    /// The sender's comment, cleaned.
    pub comment: String,
    /// The proofs to redeem. Empty once redeemed.
    pub proofs: Vec<Proof>,
    /// Unix seconds, as the event says.
    pub created_at: u64,
    /// Unix seconds at which it was first seen.
    pub seen_at: u64,
    /// Unix seconds before which the mint is not asked.
    pub next_at: u64,
    /// Number of the mint's refusals that were not final.
    pub tries: u32,
    /// The state.
    pub state: NutzapState,
}

impl std::fmt::Debug for NutzapRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NutzapRow")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Changes of nutzaps, committed together.
#[derive(Clone, Debug, Default)]
pub struct NutzapChanges {
    /// Unix seconds of the change.
    pub at: u64,
    /// New or changed rows.
    pub rows: Vec<NutzapRow>,
    /// Nutzaps that are refused for good, or announced on relays: their rows are removed.
    pub done: EventTimes,
    /// Ys of received proofs.
    pub received: Vec<PublicKey>,
}

impl NutzapChanges {
    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.done.is_empty() && self.received.is_empty()
    }
}

/// Returns an event's id in the form kept for finished nutzaps.
fn name(id: &str) -> Result<[u8; 32], StoreError> {
    let mut name = [0; 32];
    hex::decode_to_slice(id, &mut name)
        .map_err(|_| StoreError::Damaged("an invalid event id".to_owned()))?;
    Ok(name)
}

pub(in crate::store) fn put(
    tx: &WriteTransaction,
    nutzaps: &NutzapChanges,
) -> Result<(), StoreError> {
    let mut open = tx.open_table(NUTZAPS_OPEN)?;
    for row in &nutzaps.rows {
        if row.state != NutzapState::Waiting {
            open.insert(row.id.as_str(), ())?;
        } else {
            open.remove(row.id.as_str())?;
        }
        row::put_packed(tx, NUTZAPS, row.id.as_str(), row)?;
    }
    let (mut rows, mut done) = (tx.open_table(NUTZAPS)?, tx.open_table(NUTZAPS_DONE)?);
    for (id, created_at) in &nutzaps.done {
        rows.remove(id.as_str())?;
        open.remove(id.as_str())?;
        done.insert(&name(id)?, (nutzaps.at, *created_at))?;
    }
    let mut coins = tx.open_table(NUTZAP_PROOFS)?;
    for y in &nutzaps.received {
        coins.insert(&y.to_bytes(), ())?;
    }
    Ok(())
}

/// Returns the sats of nutzaps at a mint that a swap is redeeming. A redeemed one has no proofs
/// left.
pub(in crate::store) fn coming(tx: &impl Reads, mint: &MintAddress) -> Result<u64, StoreError> {
    let mut sats = 0_u64;
    for entry in tx.table(NUTZAPS_OPEN)?.iter()? {
        let row = row::get::<_, NutzapRow>(tx, NUTZAPS, entry?.0.value())?
            .ok_or(StoreError::Missing("nutzap of an index"))?;
        let coins =
            row.proofs.iter().filter(|_| row.mint == *mint).map(|proof| proof.amount.to_u64());
        sats = coins.fold(sats, u64::saturating_add);
    }
    Ok(sats)
}

impl Store {
    /// Looks up an unfinished nutzap.
    ///
    /// # Errors
    /// If the file cannot be read; the same holds for all lookups.
    pub async fn nutzap(&self, id: &str) -> Result<Option<NutzapRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| row::get(tx, NUTZAPS, id.as_str())).await
    }

    /// Returns whether this nutzap was seen and need not be examined.
    ///
    /// # Errors
    /// See [`Store::nutzap`].
    pub async fn knows_nutzap(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| {
            Ok(tx.table(NUTZAPS)?.get(id.as_str())?.is_some()
                || tx.table(NUTZAPS_DONE)?.get(&name(&id)?)?.is_some())
        })
        .await
    }

    /// Returns all nutzaps that need not be examined.
    ///
    /// # Errors
    /// See [`Store::nutzap`].
    pub async fn known_nutzaps(&self) -> Result<EventTimes, StoreError> {
        #[derive(Deserialize)]
        struct At {
            created_at: u64,
        }
        self.read(|tx| {
            let mut known = times("nutzaps", &tx.table(NUTZAPS)?, |row: At| row.created_at)?;
            for entry in tx.table(NUTZAPS_DONE)?.iter()? {
                let (id, times) = entry?;
                known.insert(hex::encode(id.value()), times.value().1);
            }
            Ok(known)
        })
        .await
    }

    /// Counts the unfinished nutzaps.
    ///
    /// # Errors
    /// See [`Store::nutzap`].
    pub async fn count_nutzaps(&self) -> Result<u64, StoreError> {
        self.read(|tx| Ok(tx.table(NUTZAPS)?.len()?)).await
    }

    /// Lists the unfinished nutzaps.
    ///
    /// # Errors
    /// See [`Store::nutzap`].
    pub async fn nutzaps(&self) -> Result<Vec<NutzapRow>, StoreError> {
        self.read(|tx| {
            let ids = tx
                .table(NUTZAPS)?
                .iter()?
                .map(|entry| Ok(entry?.0.value().to_owned()))
                .collect::<Result<Vec<String>, StoreError>>()?;
            let mut found = Vec::new();
            for id in ids {
                found.extend(row::get::<_, NutzapRow>(tx, NUTZAPS, id.as_str())?);
            }
            Ok(found)
        })
        .await
    }

    /// Lists the redeemed nutzaps that are not announced on relays yet.
    ///
    /// # Errors
    /// See [`Store::nutzap`].
    pub async fn nutzaps_to_announce(&self) -> Result<Vec<NutzapRow>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(NUTZAPS_OPEN)?.iter()? {
                let row = row::get::<_, NutzapRow>(tx, NUTZAPS, entry?.0.value())?;
                found.extend(row.filter(|row| matches!(row.state, NutzapState::Taken(_))));
            }
            Ok(found)
        })
        .await
    }

    /// Returns those of these proofs that were received by nutzap.
    ///
    /// # Errors
    /// See [`Store::nutzap`].
    pub async fn received_by_nutzap(
        &self,
        ys: Vec<PublicKey>,
    ) -> Result<BTreeSet<PublicKey>, StoreError> {
        self.read(move |tx| {
            let coins = tx.table(NUTZAP_PROOFS)?;
            let mut came = BTreeSet::new();
            for y in ys {
                if coins.get(&y.to_bytes())?.is_some() {
                    came.insert(y);
                }
            }
            Ok(came)
        })
        .await
    }

    /// Forgets the ids of nutzaps that were finished before this time, in Unix seconds.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn forget_nutzaps(&self, before: u64) -> Result<(), StoreError> {
        self.write(move |tx| Ok(tx.open_table(NUTZAPS_DONE)?.retain(|_, (at, _)| at >= before)?))
            .await
    }
}
