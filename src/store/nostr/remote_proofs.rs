//! Proofs that another device of this wallet, or another program with its key, put on relays. They
//! are ours once a swap has adopted them.
//!
//! A proof in our own tables is never here. Sums are stored, so that a balance needs no scan.

use std::collections::BTreeMap;

use cdk_common::nuts::{Proof, PublicKey};
use redb::{ReadableTable, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::super::Store;
use super::super::error::StoreError;
use super::super::row::{self, decode, encode};
use super::super::tables::{
    NOSTR_HOLDS, NOSTR_LEFT_OUT, NOSTR_LIVE, REMOTE_PROOFS, REMOTE_SUMS, Reads, Y,
};

/// Seconds for which a proof that another device left out counts as handed out, unless its mint
/// reports it as spent.
const LEFT_OUT_SECONDS: u64 = 7 * 86_400;

/// State of a remote proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteProofState {
    /// The mint was not asked, or not since the proof's event was deleted.
    #[serde(rename = "doubtful")]
    Unverified,
    /// The mint reports it as unspent.
    Unspent,
    /// The mint reports it as in use.
    Pending,
    /// A swap of ours is adopting it.
    #[serde(rename = "claiming")]
    Adopting,
    /// The mint reports it as spent. Final.
    Spent,
    /// A swap of ours has adopted it. Final.
    #[serde(rename = "claimed")]
    Adopted,
    /// The mint refuses it: it is not the mint's, or not worth its fee. Kept, and not tried again.
    Refused,
    /// Locked (NUT-10), and no key of ours is known to unlock it. Kept on relays, never adopted.
    Locked,
    /// The mint reports it as unspent, but another device recently replaced its event by one
    /// without it, and may have handed it out.
    LeftOut,
}

impl RemoteProofState {
    fn code(self) -> u8 {
        match self {
            Self::Unverified => 0,
            Self::Unspent => 1,
            Self::Pending => 2,
            Self::Adopting => 3,
            Self::Spent => 4,
            Self::Adopted => 5,
            Self::Refused => 6,
            Self::Locked => 7,
            Self::LeftOut => 8,
        }
    }

    /// Returns whether nothing can change it any more.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Spent | Self::Adopted)
    }
}

/// A remote proof.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteProof {
    /// The mint.
    pub mint: String,
    /// The unit.
    pub unit: String,
    /// The amount.
    pub amount: u64,
    /// The proof. `None` once it is spent or adopted.
    pub proof: Option<Proof>,
    /// The state.
    pub state: RemoteProofState,
}

impl std::fmt::Debug for RemoteProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteProof").field("state", &self.state).finish_non_exhaustive()
    }
}

impl RemoteProof {
    /// Returns whether the mint does not report it as spent and no swap of ours uses it.
    pub(super) fn is_free(&self) -> bool {
        matches!(self.state, RemoteProofState::Unspent | RemoteProofState::Pending)
    }
}

/// Sums of the remote proofs at one mint in one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteBalance {
    /// The mint.
    pub mint: String,
    /// The unit.
    pub unit: String,
    /// Amount that the mint reports as unspent.
    pub unspent: u64,
    /// Amount in all other states: unverified, in use, refused or locked.
    pub unverified: u64,
    /// Amount that a swap of ours is adopting.
    pub adopting: u64,
    /// Amount that is unspent, but that another device may have handed out.
    pub left_out: u64,
}

/// The tables of remote proofs and their sums, open for writing.
pub(super) struct RemoteProofTables<'t> {
    rows: Table<'t, &'static Y, &'static [u8]>,
    sums: Table<'t, (&'static str, &'static str, u8), (u128, u64)>,
}

impl<'t> RemoteProofTables<'t> {
    pub(super) fn open(tx: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self { rows: tx.open_table(REMOTE_PROOFS)?, sums: tx.open_table(REMOTE_SUMS)? })
    }

    pub(super) fn get(&self, y: &Y) -> Result<Option<RemoteProof>, StoreError> {
        self.rows.get(y)?.map(|row| decode("foreign", row.value())).transpose()
    }

    pub(super) fn put(&mut self, y: &Y, coin: &RemoteProof) -> Result<(), StoreError> {
        self.remove(y)?;
        self.count(coin, true)?;
        self.rows.insert(y, encode(coin)?.as_slice())?;
        Ok(())
    }

    pub(super) fn remove(&mut self, y: &Y) -> Result<(), StoreError> {
        if let Some(before) = self.get(y)? {
            self.count(&before, false)?;
            self.rows.remove(y)?;
        }
        Ok(())
    }

    fn count(&mut self, coin: &RemoteProof, comes: bool) -> Result<(), StoreError> {
        if coin.proof.is_none() {
            return Ok(());
        }
        let key = (coin.mint.as_str(), coin.unit.as_str(), coin.state.code());
        let (sum, number) = self.sums.get(key)?.map_or((0, 0), |sum| sum.value());
        let amount = u128::from(coin.amount);
        let after = if comes {
            sum.checked_add(amount).zip(number.checked_add(1))
        } else {
            sum.checked_sub(amount).zip(number.checked_sub(1))
        };
        match after.ok_or(StoreError::Range)? {
            (_, 0) => drop(self.sums.remove(key)?),
            after => drop(self.sums.insert(key, after)?),
        }
        Ok(())
    }
}

/// Sets the state of remote proofs; unknown, spent and adopted ones stay unchanged. Marks for
/// relays the proofs that become final, and unspent ones that no live event contains: the device
/// that deleted their event has lost its replacement, and a proof on no relay cannot be recovered.
pub(in crate::store) fn set(
    tx: &WriteTransaction,
    ys: &[PublicKey],
    to: RemoteProofState,
    now: u64,
) -> Result<(), StoreError> {
    let mut remote = RemoteProofTables::open(tx)?;
    let mut dirty = tx.open_table(super::NOSTR_DIRTY)?;
    let left_out = tx.open_table(NOSTR_LEFT_OUT)?;
    let (holds, live) = (tx.open_table(NOSTR_HOLDS)?, tx.open_table(NOSTR_LIVE)?);
    for y in ys {
        let y = y.to_bytes();
        let Some(mut coin) = remote.get(&y)? else { continue };
        let lately = left_out
            .get(&y)?
            .is_some_and(|at| now < at.value().min(now).saturating_add(LEFT_OUT_SECONDS));
        let to =
            if to == RemoteProofState::Unspent && lately { RemoteProofState::LeftOut } else { to };
        if coin.state.is_final() || coin.state == to {
            continue;
        }
        coin.state = to;
        if to.is_final() {
            remote.remove(&y)?;
            coin.proof = None;
            super::mark(&mut dirty, &y)?;
        } else if to == RemoteProofState::Unspent && !super::merge::held(&holds, &live, &y)? {
            super::mark(&mut dirty, &y)?;
        }
        remote.put(&y, &coin)?;
    }
    Ok(())
}
pub(super) fn get(tx: &impl Reads, y: &Y) -> Result<Option<RemoteProof>, StoreError> {
    row::get(tx, REMOTE_PROOFS, y)
}

impl Store {
    /// Returns the sums of the remote proofs, by mint and unit.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn remote_balances(&self) -> Result<Vec<RemoteBalance>, StoreError> {
        self.read(|tx| {
            let mut balances: BTreeMap<(String, String), RemoteBalance> = BTreeMap::new();
            for entry in tx.table(REMOTE_SUMS)?.iter()? {
                let (key, sum) = entry?;
                let (mint, unit, state) = key.value();
                // Other devices may write any amount: an overflow is no reason to show nothing.
                let sum = u64::try_from(sum.value().0).unwrap_or(u64::MAX);
                let none = RemoteBalance {
                    mint: mint.to_owned(),
                    unit: unit.to_owned(),
                    unspent: 0,
                    unverified: 0,
                    adopting: 0,
                    left_out: 0,
                };
                let balance = balances.entry((mint.to_owned(), unit.to_owned())).or_insert(none);
                let place = match state {
                    1 => &mut balance.unspent,
                    3 => &mut balance.adopting,
                    8 => &mut balance.left_out,
                    _ => &mut balance.unverified,
                };
                *place = place.saturating_add(sum);
            }
            Ok(balances.into_values().collect())
        })
        .await
    }

    /// Returns the remote proofs at one mint, in sats, in any of these states, with their Ys.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn remote_proofs(
        &self,
        mint: String,
        states: Vec<RemoteProofState>,
    ) -> Result<Vec<(PublicKey, Proof)>, StoreError> {
        self.read(move |tx| {
            let sums = tx.table(REMOTE_SUMS)?;
            let mut found = Vec::new();
            let mut any = false;
            for state in &states {
                any |= sums.get((mint.as_str(), "sat", state.code()))?.is_some();
            }
            if !any {
                // The usual case, without reading the many rows of spent proofs.
                return Ok(found);
            }
            for entry in tx.table(REMOTE_PROOFS)?.iter()? {
                let (y, row) = entry?;
                let coin: RemoteProof = decode("foreign", row.value())?;
                if let Some(proof) = coin.proof.filter(|_| {
                    coin.mint == mint && coin.unit == "sat" && states.contains(&coin.state)
                }) {
                    let y = PublicKey::from_slice(y.value())
                        .map_err(|error| StoreError::Damaged(error.to_string()))?;
                    found.push((y, proof));
                }
            }
            Ok(found)
        })
        .await
    }
}
