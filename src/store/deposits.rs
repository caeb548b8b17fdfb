//! Deposits in the journal, with their indexes.
//!
//! Never judges whether one was paid.

use redb::{Durability, ReadableTable, WriteTransaction};

use super::commit::apply_all;
use super::error::StoreError;
use super::history::{self, Kind};
use super::meta::{self, KEY};
use super::tables::{DEPOSIT_BY_KEY, DEPOSITS, DEPOSITS_OF_AGENT, DEPOSITS_OPEN, META, Reads};
use super::{Change, Store, Verdict, record};
use crate::model::deposit::Deposit;
use crate::model::id::DepositId;

pub(super) fn get(tx: &impl Reads, id: &str) -> Result<Option<Deposit>, StoreError> {
    record::get(tx, DEPOSITS, id)
}

fn of_index(tx: &impl Reads, id: Option<String>) -> Result<Option<Deposit>, StoreError> {
    id.map(|id| get(tx, &id)?.ok_or(StoreError::Missing("deposit of an index"))).transpose()
}

/// Writes a deposit's row and brings every index in line with it.
pub(super) fn put(tx: &WriteTransaction, deposit: &Deposit) -> Result<(), StoreError> {
    let id = deposit.id.as_str();
    let before = get(tx, id)?;
    if let Some(key) = &deposit.key {
        tx.open_table(DEPOSIT_BY_KEY)?.insert((deposit.agent.as_str(), key.as_str()), id)?;
    }
    if deposit.is_open() {
        tx.open_table(DEPOSITS_OPEN)?.insert(id, ())?;
    } else {
        tx.open_table(DEPOSITS_OPEN)?.remove(id)?;
    }
    if before.is_none() {
        tx.open_table(DEPOSITS_OF_AGENT)?.insert((deposit.agent.as_str(), deposit.created_at, id), ())?;
        history::note(tx, deposit.created_at, id, Kind::Deposit)?;
    }
    record::put(tx, DEPOSITS, id, deposit)
}

impl Store {
    /// A deposit by its id.
    ///
    /// # Errors
    /// When the file cannot be read; so do all lookups.
    pub async fn deposit(&self, id: &DepositId) -> Result<Option<Deposit>, StoreError> {
        let id = id.clone();
        self.read(move |tx| get(tx, id.as_str())).await
    }

    /// The deposit an agent asked for under a key.
    ///
    /// # Errors
    /// As [`Store::deposit`].
    pub async fn deposit_by_key(&self, agent: &str, key: &str) -> Result<Option<Deposit>, StoreError> {
        let (agent, key) = (agent.to_owned(), key.to_owned());
        self.read(move |tx| {
            let id = tx.table(DEPOSIT_BY_KEY)?.get((agent.as_str(), key.as_str()))?.map(|id| id.value().to_owned());
            of_index(tx, id)
        })
        .await
    }

    /// The deposit an agent asked for last.
    ///
    /// # Errors
    /// As [`Store::deposit`].
    pub async fn newest_deposit(&self, agent: &str) -> Result<Option<Deposit>, StoreError> {
        let agent = agent.to_owned();
        self.read(move |tx| {
            // Ids are ASCII: `~` sorts behind every one of them.
            let index = tx.table(DEPOSITS_OF_AGENT)?;
            let mut range = index.range((agent.as_str(), 0, "")..=(agent.as_str(), u64::MAX, "~"))?;
            let id = range.next_back().transpose()?.map(|(key, _)| key.value().2.to_owned());
            of_index(tx, id)
        })
        .await
    }

    /// Writes a deposit that is received by coins found at its mint after it was asked for, as one durable commit with what is `beside` it.
    /// What was found counts for one deposit. `false`: not as much was found, and nothing was written.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub async fn receive_found(&self, deposit: Deposit, mut beside: Vec<Change>) -> Result<bool, StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            let mut meta = meta::get(tx)?;
            if !meta.take_found(deposit.mint.as_str(), deposit.created_at, deposit.amount_sats) {
                return Ok(Verdict::Leave(false));
            }
            record::put(tx, META, KEY, &meta)?;
            beside.push(Change::Deposit(deposit));
            apply_all(tx, inner, beside)?;
            Ok(Verdict::Keep(true))
        })
        .await
    }

    /// Every deposit that was not received yet, expired ones included.
    ///
    /// # Errors
    /// As [`Store::deposit`].
    pub async fn open_deposits(&self) -> Result<Vec<Deposit>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(DEPOSITS_OPEN)?.iter()? {
                found.extend(of_index(tx, Some(entry?.0.value().to_owned()))?);
            }
            Ok(found)
        })
        .await
    }
}
