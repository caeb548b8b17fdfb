//! A stale file, older than the newest that was seen: its proofs are held until their mints were
//! asked.
//!
//! Never frees a coin by itself: that is done after a mint's own word (NUT-07).

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

/// The operation that holds coins whose mint has not been asked. No other operation has this name.
pub const STALE_HOLD: Uuid = Uuid::from_u128(0x6e75_7470_7572_7365_8000_756e_6368_6b64);

/// What the start of a session found.
#[derive(Clone, Debug)]
pub struct SessionStart {
    /// What the wallet is, after the opening.
    pub meta: Meta,
    /// The file is older than the highest generation that was seen.
    pub rolled_back: bool,
}

impl Store {
    /// Raises the generation above the file's own and above `seen`, the highest that is known,
    /// durably. A file below `seen` is an older one: in the same transaction all its coins are
    /// held, its mints unchecked and the day's limit used up.
    ///
    /// # Errors
    /// When the file cannot be written; nothing has changed then.
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

    /// Holds all coins, takes every mint as unchecked and the day's limit as used up, durably: the
    /// file may be older than its mints.
    ///
    /// # Errors
    /// As [`Store::begin_session`].
    pub async fn mark_stale(&self) -> Result<(), StoreError> {
        self.transact(Durability::Immediate, |tx, inner| {
            let mut meta = meta::get(tx)?;
            mark_stale(tx, inner, &mut meta)?;
            row::put(tx, META, KEY, &meta)?;
            Ok(TxDecision::Commit(()))
        })
        .await
    }

    /// The coins that are held until their mint has been asked; of one mint.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn stale_proofs(&self, mint: String) -> Result<Vec<ProofInfo>, StoreError> {
        self.read(move |tx| {
            let mut held = proofs::of_operation(tx, STALE_HOLD)?;
            held.retain(|info| info.mint_url.to_string() == mint && info.state == State::Pending);
            Ok(held)
        })
        .await
    }

    /// An operation that is not decided, given up or not, may still bring coins in.
    ///
    /// # Errors
    /// When the file cannot be read.
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
