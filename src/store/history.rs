//! The history: one index over all records, by the time they were made, and its sums by day.
//!
//! Has rows of its own only for policy changes, and never contains a secret. A record keeps its
//! place in the index, whatever its state.

use std::fmt;
use std::ops::Range;

use redb::{ReadableTable, Table, WriteTransaction};
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::tables::{HISTORY, HISTORY_SUMS, POLICY_CHANGES, Reads};
use super::{deposits, payments, receives, row};
use crate::model::deposit::Deposit;
use crate::model::history_line::{Direction, EntryKind, HistoryLine, HistorySums};
use crate::model::ledger::DAY_SECONDS;
use crate::model::mint::MoneyKind;
use crate::model::payment::Payment;
use crate::model::receive::Receive;

/// A person's change of the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// Unix seconds at which it was noticed.
    pub at: u64,
    /// The change in our words.
    pub text: String,
    /// `true` if it allows something that was not allowed before.
    pub loosened: bool,
}

/// One record of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryRow {
    /// A paid invoice, a sent token or a zap.
    Payment(Payment),
    /// A deposit.
    Deposit(Deposit),
    /// A received token.
    Receive(Receive),
    /// A change of the limits.
    Policy {
        /// The change's id.
        id: String,
        /// The change.
        change: PolicyChange,
    },
}

/// A place in the history; records after it are older.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// Unix seconds at which the record was made.
    pub at: u64,
    /// The record's id.
    pub id: String,
}

/// Selection of records to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// The earliest time of a record, in Unix seconds.
    pub since: Option<u64>,
    /// The time, in Unix seconds, before which a record was made.
    pub until: Option<u64>,
    /// The maximum number of rows.
    pub limit: usize,
    /// The place after which to list.
    pub before: Option<Cursor>,
}

/// Properties that the lines of one sum share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The day on which the records were made, in days since 1970 (UTC).
    pub day: u64,
    /// The day of the lines; a later one if a token came back.
    pub shown_day: u64,
    /// The kind of money. `None` for a record without money.
    pub money: Option<MoneyKind>,
    /// The kind of the lines.
    pub kind: EntryKind,
    /// The direction of the money.
    pub direction: Direction,
    /// The mint; empty if there is none.
    pub mint: String,
}

/// Kind of the record that an entry points to. The numbers are part of the file format.
#[derive(Clone, Copy)]
enum RecordKind {
    Payment = 0,
    Deposit = 1,
    Receive = 2,
    Policy = 3,
}

/// Key of a sum; kind and direction are serde names.
type SumKey<'a> = (u64, u64, u8, &'a str, &'a str, &'a str);
type SumRow = (u128, u128, u128, u64);

/// A record as the history indexes it.
pub(super) struct HistoryEntry<'a> {
    at: u64,
    id: &'a str,
    kind: RecordKind,
    money: Option<MoneyKind>,
    mint: &'a str,
    lines: Vec<HistoryLine>,
}

impl<'a> HistoryEntry<'a> {
    pub(super) fn of_payment(payment: &'a Payment) -> Self {
        let (at, id, mint) = (payment.created_at, payment.id.as_str(), payment.mint.as_str());
        Self {
            at,
            id,
            kind: RecordKind::Payment,
            money: Some(payment.money),
            mint,
            lines: HistoryLine::of_payment(payment),
        }
    }

    pub(super) fn of_deposit(deposit: &'a Deposit) -> Self {
        let (at, id, mint) = (deposit.created_at, deposit.id.as_str(), deposit.mint.as_str());
        Self {
            at,
            id,
            kind: RecordKind::Deposit,
            money: Some(deposit.money),
            mint,
            lines: vec![HistoryLine::of_deposit(deposit)],
        }
    }

    pub(super) fn of_receive(receive: &'a Receive) -> Self {
        let (at, id, mint) = (receive.created_at, receive.id.as_str(), receive.mint.as_str());
        Self {
            at,
            id,
            kind: RecordKind::Receive,
            money: Some(receive.money),
            mint,
            lines: vec![HistoryLine::of_receive(receive)],
        }
    }

    fn of_policy(id: &'a str, change: &PolicyChange) -> Self {
        Self {
            at: change.at,
            id,
            kind: RecordKind::Policy,
            money: None,
            mint: "",
            lines: vec![HistoryLine::of_policy(change.at)],
        }
    }

    /// Returns the sums that it adds to, and the values it adds.
    fn adds(&self) -> Vec<(Tally, HistorySums)> {
        let tally = |line: &HistoryLine| Tally {
            day: self.at / DAY_SECONDS,
            shown_day: line.at / DAY_SECONDS,
            money: self.money,
            kind: line.kind,
            direction: line.direction,
            mint: self.mint.to_owned(),
        };
        self.lines.iter().map(|line| (tally(line), line.sums())).collect()
    }
}

impl HistoryRow {
    fn entry(&self) -> HistoryEntry<'_> {
        match self {
            Self::Payment(payment) => HistoryEntry::of_payment(payment),
            Self::Deposit(deposit) => HistoryEntry::of_deposit(deposit),
            Self::Receive(receive) => HistoryEntry::of_receive(receive),
            Self::Policy { id, change } => HistoryEntry::of_policy(id, change),
        }
    }

    /// Returns the record's lines.
    pub fn lines(&self) -> Vec<HistoryLine> {
        self.entry().lines
    }

    /// Returns the record's kind of money, if any.
    pub fn money(&self) -> Option<MoneyKind> {
        self.entry().money
    }
}

/// Updates the index and the sums for a changed record. A record never changes its place.
pub(super) fn update(
    tx: &WriteTransaction,
    before: Option<&HistoryEntry<'_>>,
    after: &HistoryEntry<'_>,
) -> Result<(), StoreError> {
    if before.is_none() {
        tx.open_table(HISTORY)?.insert((after.at, after.id), after.kind as u8)?;
    }
    let (less, more) = (before.map(HistoryEntry::adds).unwrap_or_default(), after.adds());
    if less == more {
        return Ok(());
    }
    let mut table = tx.open_table(HISTORY_SUMS)?;
    for (tally, less) in less {
        change(&mut table, &tally, |sums| sums.without(less))?;
    }
    for (tally, more) in more {
        change(&mut table, &tally, |sums| Some(sums.and(more)))?;
    }
    Ok(())
}

/// Changes one sum. A sum without lines has no row.
fn change(
    table: &mut Table<'_, SumKey<'static>, SumRow>,
    tally: &Tally,
    to: impl FnOnce(HistorySums) -> Option<HistorySums>,
) -> Result<(), StoreError> {
    let Tally { day, shown_day, money, kind, direction, mint } = tally;
    let money = money.map_or(2, |money| u8::from(money == MoneyKind::Real));
    let (kind, direction) = (Word(kind).to_string(), Word(direction).to_string());
    let key = (*day, *shown_day, money, kind.as_str(), direction.as_str(), mint.as_str());
    let sums = table.get(key)?.map(|row| read_sums(row.value())).unwrap_or_default();
    let HistorySums { in_sats, out_sats, fee_sats, count } = to(sums).ok_or(StoreError::Range)?;
    if count == 0 {
        table.remove(key)?;
    } else {
        table.insert(key, (in_sats, out_sats, fee_sats, count))?;
    }
    Ok(())
}

fn read_sums((in_sats, out_sats, fee_sats, count): SumRow) -> HistorySums {
    HistorySums { in_sats, out_sats, fee_sats, count }
}

fn read_tally(
    (day, shown_day, money, kind, direction, mint): SumKey<'_>,
) -> Result<Tally, StoreError> {
    let money = match money {
        0 => Some(MoneyKind::Play),
        1 => Some(MoneyKind::Real),
        _ => None,
    };
    let (kind, direction) = (read_word(kind)?, read_word(direction)?);
    Ok(Tally { day, shown_day, money, kind, direction, mint: mint.to_owned() })
}

/// The serde name of a kind or a direction, as in the key of a sum.
pub(super) struct Word<T>(pub(super) T);

impl<T: Serialize> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

pub(super) fn read_word<'a, T: Deserialize<'a>>(word: &'a str) -> Result<T, StoreError> {
    T::deserialize(StrDeserializer::<Error>::new(word))
        .map_err(|error| StoreError::undecodable("history_sums", error))
}

pub(super) fn put_policy(tx: &WriteTransaction, change: &PolicyChange) -> Result<(), StoreError> {
    let id = format!("chg_{}", uuid::Uuid::new_v4().simple());
    update(tx, None, &HistoryEntry::of_policy(&id, change))?;
    row::put(tx, POLICY_CHANGES, id.as_str(), change)
}

fn row(tx: &impl Reads, id: &str, kind: u8) -> Result<HistoryRow, StoreError> {
    let found = match kind {
        0 => payments::get(tx, id)?.map(HistoryRow::Payment),
        1 => deposits::get(tx, id)?.map(HistoryRow::Deposit),
        2 => receives::get(tx, id)?.map(HistoryRow::Receive),
        3 => row::get(tx, POLICY_CHANGES, id)?
            .map(|change| HistoryRow::Policy { id: id.to_owned(), change }),
        version => return Err(StoreError::UnknownVersion { table: "history".to_owned(), version }),
    };
    found.ok_or(StoreError::Missing("record of the history"))
}

impl Store {
    /// Lists the records that match, newest first, with their places.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn history(
        &self,
        query: HistoryFilter,
    ) -> Result<Vec<(Cursor, HistoryRow)>, StoreError> {
        self.read(move |tx| {
            let mut end = (query.until.unwrap_or(u64::MAX), "");
            if query.until.is_none() {
                // Ids are ASCII: `~` sorts after all.
                end.1 = "~";
            }
            if let Some(before) = &query.before {
                end = end.min((before.at, before.id.as_str()));
            }
            let start = (query.since.unwrap_or(0), "");
            let mut rows = Vec::new();
            if start >= end {
                return Ok(rows);
            }
            for entry in tx.table(HISTORY)?.range(start..end)?.rev().take(query.limit) {
                let (key, kind) = entry?;
                let (at, id) = key.value();
                rows.push((Cursor { at, id: id.to_owned() }, row(tx, id, kind.value())?));
            }
            Ok(rows)
        })
        .await
    }

    /// Returns the exact sums over the lines of records made from `since` to before `until` (Unix
    /// seconds). Whole days come from the stored sums; records are read only for days that a limit
    /// cuts.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn history_sums(
        &self,
        since: Option<u64>,
        until: Option<u64>,
    ) -> Result<Vec<(Tally, HistorySums)>, StoreError> {
        let (start, end) = (since.unwrap_or(0), until.unwrap_or(u64::MAX));
        let (first, last) =
            (start.div_ceil(DAY_SECONDS), until.map_or(u64::MAX, |until| until / DAY_SECONDS));
        self.read(move |tx| {
            let mut found = Vec::new();
            if start >= end {
                return Ok(found);
            }
            let (table, low, high) =
                (tx.table(HISTORY_SUMS)?, (first, 0, 0, "", "", ""), (last, 0, 0, "", "", ""));
            if first < last {
                for entry in table.range(low..high)? {
                    let (key, sums) = entry?;
                    found.push((read_tally(key.value())?, read_sums(sums.value())));
                }
            }
            for part in edges(
                start,
                end,
                first.saturating_mul(DAY_SECONDS),
                last.saturating_mul(DAY_SECONDS),
            ) {
                for entry in tx.table(HISTORY)?.range((part.start, "")..(part.end, ""))? {
                    let (key, kind) = entry?;
                    let row = row(tx, key.value().1, kind.value())?;
                    found.extend(row.entry().adds());
                }
            }
            Ok(found)
        })
        .await
    }
}

/// Returns the parts of `start..end` outside the whole days, `first..last`.
fn edges(start: u64, end: u64, first: u64, last: u64) -> impl Iterator<Item = Range<u64>> {
    let parts = if first < last { [start..first, last..end] } else { [start..end, 0..0] };
    parts.into_iter().filter(|part| part.start < part.end)
}
