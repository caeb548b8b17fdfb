//! Deposits in the journal, with their indexes.
//!
//! Never judges whether one was paid. An invoice that is unpaid a week after its expiry is no
//! longer checked automatically; a lookup by its id still asks the mint.

use std::ops::{Bound, RangeInclusive};

use redb::{Durability, ReadableTable, WriteTransaction};

use super::commit::apply_all;
use super::error::StoreError;
use super::history::{self, HistoryEntry};
use super::meta::{self, KEY};
use super::tables::{DEPOSIT_BY_KEY, DEPOSITS, DEPOSITS_OF_AGENT, DEPOSITS_OPEN, META, Reads};
use super::{Change, Store, TxDecision, row};
use crate::model::deposit::{Deposit, DepositState, LATE_SECONDS};
use crate::model::id::DepositId;

pub(super) fn get(tx: &impl Reads, id: &str) -> Result<Option<Deposit>, StoreError> {
    row::get(tx, DEPOSITS, id)
}

fn of_index(tx: &impl Reads, id: Option<String>) -> Result<Option<Deposit>, StoreError> {
    id.map(|id| get(tx, &id)?.ok_or(StoreError::Missing("deposit of an index"))).transpose()
}

/// Returns until when it can be paid, for the index: `u64::MAX` if paid, disputed or without
/// expiry.
fn until(deposit: &Deposit) -> u64 {
    let ends = deposit.state != DepositState::Paid
        && deposit.disputed().is_none()
        && deposit.expires_at > 0;
    if ends { deposit.expires_at } else { u64::MAX }
}

/// Returns the index keys of one mint, from time `low` to `high`. Ids are ASCII: `~` sorts after
/// all.
fn key_range(mint: &str, low: u64, high: u64) -> RangeInclusive<(&str, u64, &'static str)> {
    (mint, low, "")..=(mint, high, "~")
}

/// Writes a deposit's row and updates every index.
pub(super) fn put(tx: &WriteTransaction, deposit: &Deposit, now: u64) -> Result<(), StoreError> {
    let id = deposit.id.as_str();
    let before = get(tx, id)?;
    if let Some(key) = &deposit.key {
        tx.open_table(DEPOSIT_BY_KEY)?.insert((deposit.agent.as_str(), key.as_str()), id)?;
    }
    let mint = deposit.mint.as_str();
    if let Some(before) = &before {
        tx.open_table(DEPOSITS_OPEN)?.remove((mint, until(before), id))?;
    }
    if deposit.is_asked(now) {
        // A disputed deposit promises nothing.
        let promised = match deposit.disputed() {
            Some(_) => (false, 0),
            None => (deposit.state == DepositState::Paid, deposit.amount_sats),
        };
        tx.open_table(DEPOSITS_OPEN)?.insert((mint, until(deposit), id), promised)?;
    }
    if before.is_none() {
        tx.open_table(DEPOSITS_OF_AGENT)?
            .insert((deposit.agent.as_str(), deposit.created_at, id), ())?;
    }
    history::update(
        tx,
        before.as_ref().map(HistoryEntry::of_deposit).as_ref(),
        &HistoryEntry::of_deposit(deposit),
    )?;
    row::put_packed(tx, DEPOSITS, id, deposit)
}

/// Lists every mint with an open deposit.
fn mints(tx: &impl Reads) -> Result<Vec<String>, StoreError> {
    let index = tx.table(DEPOSITS_OPEN)?;
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found
            .last()
            .map_or(Bound::Unbounded, |mint| Bound::Excluded((mint.as_str(), u64::MAX, "~")));
        let next =
            index.range::<(&str, u64, &str)>((after, Bound::Unbounded))?.next().transpose()?;
        match next.map(|(key, _)| key.value().0.to_owned()) {
            Some(mint) => found.push(mint),
            None => return Ok(found),
        }
    }
}

/// Returns the sats of a mint's invoices that can be paid at `from` or later, or are paid and not
/// claimed.
pub(super) fn promised(tx: &impl Reads, mint: &str, from: u64) -> Result<u64, StoreError> {
    let mut sum = 0_u64;
    for entry in tx.table(DEPOSITS_OPEN)?.range(key_range(mint, from, u64::MAX))? {
        sum = sum.saturating_add(entry?.1.value().1);
    }
    Ok(sum)
}

impl Store {
    /// Looks up a deposit by its id.
    ///
    /// # Errors
    /// If the file cannot be read; the same holds for all lookups.
    pub async fn deposit(&self, id: &DepositId) -> Result<Option<Deposit>, StoreError> {
        let id = id.clone();
        self.read(move |tx| get(tx, id.as_str())).await
    }

    /// Looks up the deposit that an agent requested under a key.
    ///
    /// # Errors
    /// See [`Store::deposit`].
    pub async fn deposit_by_key(
        &self,
        agent: &str,
        key: &str,
    ) -> Result<Option<Deposit>, StoreError> {
        let (agent, key) = (agent.to_owned(), key.to_owned());
        self.read(move |tx| {
            let id = tx
                .table(DEPOSIT_BY_KEY)?
                .get((agent.as_str(), key.as_str()))?
                .map(|id| id.value().to_owned());
            of_index(tx, id)
        })
        .await
    }

    /// Returns the deposit that an agent requested last.
    ///
    /// # Errors
    /// See [`Store::deposit`].
    pub async fn newest_deposit(&self, agent: &str) -> Result<Option<Deposit>, StoreError> {
        let agent = agent.to_owned();
        self.read(move |tx| {
            // Ids are ASCII: `~` sorts after all.
            let index = tx.table(DEPOSITS_OF_AGENT)?;
            let mut range =
                index.range((agent.as_str(), 0, "")..=(agent.as_str(), u64::MAX, "~"))?;
            let id = range.next_back().transpose()?.map(|(key, _)| key.value().2.to_owned());
            of_index(tx, id)
        })
        .await
    }

    /// Writes a deposit as received by proofs that were found at its mint since its request, with
    /// `beside`, in one durable commit. Found sats count once. Returns `false`, and writes nothing,
    /// if too little was found.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub async fn receive_found(
        &self,
        deposit: Deposit,
        mut beside: Vec<Change>,
    ) -> Result<bool, StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            let mut meta = meta::get(tx)?;
            if !meta.take_found(deposit.mint.as_str(), deposit.created_at, deposit.amount_sats) {
                return Ok(TxDecision::Abort(false));
            }
            row::put(tx, META, KEY, &meta)?;
            beside.push(Change::Deposit(deposit));
            apply_all(tx, inner, beside)?;
            Ok(TxDecision::Commit(true))
        })
        .await
    }

    /// Lists the deposits that are not received, except those that expired a week ago.
    ///
    /// # Errors
    /// See [`Store::deposit`].
    pub async fn open_deposits(&self) -> Result<Vec<Deposit>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(DEPOSITS_OPEN)?.iter()? {
                found.extend(of_index(tx, Some(entry?.0.value().2.to_owned()))?);
            }
            Ok(found)
        })
        .await
    }

    /// Removes unpaid invoices that expired a week before `now` from the index of open deposits.
    /// Their rows stay. Not durable.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub async fn retire_deposits(&self, now: u64) -> Result<(), StoreError> {
        let over = now.saturating_sub(LATE_SECONDS);
        self.transact(Durability::None, move |tx, _| {
            let mut retired = 0_u64;
            for mint in mints(tx)? {
                let mut index = tx.open_table(DEPOSITS_OPEN)?;
                for entry in index
                    .extract_from_if(key_range(&mint, 0, over.saturating_sub(1)), |_, _| true)?
                {
                    entry?;
                    retired = retired.saturating_add(1);
                }
            }
            Ok(if retired > 0 { TxDecision::Commit(()) } else { TxDecision::Abort(()) })
        })
        .await
    }

    /// Returns the sats that were paid to us and are not claimed yet, by mint.
    ///
    /// # Errors
    /// See [`Store::deposit`].
    pub async fn incoming(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|tx| {
            let index = tx.table(DEPOSITS_OPEN)?;
            let mut found = Vec::new();
            for mint in mints(tx)? {
                let mut sum = 0_u64;
                for entry in index.range(key_range(&mint, u64::MAX, u64::MAX))? {
                    let (is_paid, sats) = entry?.1.value();
                    sum = sum.saturating_add(if is_paid { sats } else { 0 });
                }
                found.push((mint, sum));
            }
            Ok(found)
        })
        .await
    }
}
