//! Nutzaps that came in (NIP-61): those that wait, those that are taken in, and by name those that
//! are done with.
//!
//! What is done with is forgotten after some time; the coins that came in are not, so that no copy
//! of them is ever asked about.

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

/// How far a nutzap has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NutzapState {
    /// Not taken in yet: its mint has not answered, is not used now, or its key is not known.
    Waiting,
    /// A swap of ours, in the journal, takes exactly these coins.
    Swapping,
    /// Taken in under this name, and relays have not been told so.
    Taken(ReceiveId),
}

/// A nutzap that is neither refused for good nor told to relays.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NutzapRow {
    /// The event's id, 64 letters of hex.
    pub id: String,
    /// Where it was seen first.
    pub relay: String,
    /// Who sent it, 64 letters of hex.
    pub sender: String,
    /// The coins themselves name the sender.
    pub sender_proven: bool,
    /// Somebody else than the sender has published it.
    pub is_copy: bool,
    /// Its mint.
    pub mint: MintAddress,
    /// The sender's words, cleaned.
    pub comment: String,
    /// The coins that may become ours. None once they are.
    pub proofs: Vec<Proof>,
    /// Unix seconds, as the event says.
    pub created_at: u64,
    /// When it was first seen, in Unix seconds.
    pub seen_at: u64,
    /// Its mint is not asked before, in Unix seconds.
    pub next_at: u64,
    /// How often its mint has refused it, without a reason that is for good.
    pub tries: u32,
    /// How far it has come.
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

/// Changes of nutzaps that are committed together.
#[derive(Clone, Debug, Default)]
pub struct NutzapChanges {
    /// When this happens, in Unix seconds.
    pub at: u64,
    /// Rows that are new or changed.
    pub rows: Vec<NutzapRow>,
    /// Nutzaps that are refused for good, or that relays have been told of: their rows go.
    pub done: EventTimes,
    /// Ys of coins that came in.
    pub received: Vec<PublicKey>,
}

impl NutzapChanges {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.done.is_empty() && self.received.is_empty()
    }
}

/// An event's id as it is kept once it is done with.
fn name(id: &str) -> Result<[u8; 32], StoreError> {
    let mut name = [0; 32];
    hex::decode_to_slice(id, &mut name)
        .map_err(|_| StoreError::Damaged("an event id that is none".to_owned()))?;
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

/// Sats of nutzaps at a mint that a swap is taking in. One that is taken in has no coins any more.
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
    /// A nutzap that is not done with.
    ///
    /// # Errors
    /// When the file cannot be read; so do all lookups.
    pub async fn nutzap(&self, id: &str) -> Result<Option<NutzapRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| row::get(tx, NUTZAPS, id.as_str())).await
    }

    /// This nutzap was seen, and need not be looked at.
    ///
    /// # Errors
    /// As [`Store::nutzap`].
    pub async fn knows_nutzap(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| {
            Ok(tx.table(NUTZAPS)?.get(id.as_str())?.is_some()
                || tx.table(NUTZAPS_DONE)?.get(&name(&id)?)?.is_some())
        })
        .await
    }

    /// All that need not be looked at.
    ///
    /// # Errors
    /// As [`Store::nutzap`].
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

    /// How many are not done with.
    ///
    /// # Errors
    /// As [`Store::nutzap`].
    pub async fn count_nutzaps(&self) -> Result<u64, StoreError> {
        self.read(|tx| Ok(tx.table(NUTZAPS)?.len()?)).await
    }

    /// All that are not done with.
    ///
    /// # Errors
    /// As [`Store::nutzap`].
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

    /// Those that are taken in and of which relays have not been told.
    ///
    /// # Errors
    /// As [`Store::nutzap`].
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

    /// The coins among these that came in by a nutzap.
    ///
    /// # Errors
    /// As [`Store::nutzap`].
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

    /// Forgets the names of those that were done with before this time, in Unix seconds.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn forget_nutzaps(&self, before: u64) -> Result<(), StoreError> {
        self.write(move |tx| Ok(tx.open_table(NUTZAPS_DONE)?.retain(|_, (at, _)| at >= before)?))
            .await
    }
}
