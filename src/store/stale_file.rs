//! A stale file, older than the newest one seen: its proofs are held until their mints are asked.
//!
//! Never frees a proof: that needs the mint's own answer (NUT-07).

use cdk_common::nuts::State;
use cdk_common::wallet::ProofInfo;
use redb::{Durability, ReadableTable, WriteTransaction};
use uuid::Uuid;

use super::error::StoreError;
use super::meta::{self, KEY, Meta};
use super::proofs::{self, Filter, ProofTables};
use super::tables::{GIVEN_UP, JOURNAL, META, Reads};
use super::{Inner, Store, TxDecision, row};
use crate::model::ledger::DAY_SECONDS;

/// The operation that holds proofs whose mint was not asked yet. No other operation has this id.
pub const STALE_HOLD: Uuid = Uuid::from_u128(0x6e75_7470_7572_7365_8000_756e_6368_6b64);

/// Result of starting a session.
#[derive(Clone, Debug)]
pub struct SessionStart {
    /// The wallet's metadata after the start.
    pub meta: Meta,
    /// `true` if the file is older than the highest generation seen.
    pub rolled_back: bool,
}

impl Store {
    /// Raises the generation, durably, above the file's own and above `seen`, the highest one
    /// known. If the file is below `seen`, the same transaction holds all unspent proofs, and marks
    /// every mint as unchecked and the day's limit as used up.
    ///
    /// # Errors
    /// If the file cannot be written; then nothing has changed.
    pub async fn begin_session(&self, seen: Option<u64>) -> Result<SessionStart, StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            let mut meta = meta::get(tx)?;
            let rolled_back = seen.is_some_and(|seen| meta.generation < seen);
            meta.generation = meta.generation.max(seen.unwrap_or(0)).saturating_add(1);
            if rolled_back {
                mark_stale(tx, inner, &mut meta)?;
            }
            row::put(tx, META, KEY, &meta)?;
            Ok(TxDecision::Commit(SessionStart { meta, rolled_back }))
        })
        .await
    }

    /// Holds all unspent proofs, and marks every mint as unchecked and the day's limit as used up,
    /// durably: the file may be older than its mints.
    ///
    /// # Errors
    /// See [`Store::begin_session`].
    pub async fn mark_stale(&self) -> Result<(), StoreError> {
        self.transact(Durability::Immediate, |tx, inner| {
            let mut meta = meta::get(tx)?;
            mark_stale(tx, inner, &mut meta)?;
            row::put(tx, META, KEY, &meta)?;
            Ok(TxDecision::Commit(()))
        })
        .await
    }

    /// Returns the proofs of one mint that are held until it is asked.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn stale_proofs(&self, mint: String) -> Result<Vec<ProofInfo>, StoreError> {
        self.read(move |tx| {
            let mut held = proofs::of_operation(tx, STALE_HOLD)?;
            held.retain(|info| info.mint_url.to_string() == mint && info.state == State::Pending);
            Ok(held)
        })
        .await
    }

    /// Returns whether an undecided operation, given up or not, may still bring in proofs.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn has_unfinished(&self) -> Result<bool, StoreError> {
        self.read(|tx| {
            Ok(tx.table(JOURNAL)?.first()?.is_some() || tx.table(GIVEN_UP)?.first()?.is_some())
        })
        .await
    }
}

fn mark_stale(tx: &WriteTransaction, inner: &Inner, meta: &mut Meta) -> Result<(), StoreError> {
    let now = (inner.clock)();
    meta.checked = Some(std::collections::BTreeSet::new());
    meta.window_full_until = Some(now.saturating_add(DAY_SECONDS));
    meta.window_seen_ahead = None;
    let free = proofs::list(tx, &Filter { states: Some(vec![State::Unspent]) })?;
    let mut tables = ProofTables::open(tx, now)?;
    for info in free {
        let before = tables.find(&info.y.to_bytes())?.ok_or(StoreError::ProofNotFound)?;
        let held = ProofInfo { state: State::Pending, used_by_operation: Some(STALE_HOLD), ..info };
        tables.put(Some(&before), held)?;
    }
    Ok(())
}
