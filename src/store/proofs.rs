//! Proofs with their indexes and sums, all written in one place, so that they always agree.
//!
//! Spent proofs exist only in the archive: no range, sum or index contains them. Never scans all
//! proofs; only `archive` changes a spent proof.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use redb::{ReadableTable, Table, WriteTransaction};
use uuid::Uuid;

use super::Store;
use super::archive::{self, archived};
use super::error::StoreError;
use super::nostr::ChangeMarks;
use super::row::{decode, encode};
use super::tables::{
    ARCHIVE, ArchivedProof, ByAmountKey, ByAmountValue, OPERATIONS, OperationId, PROOFS,
    PROOFS_BY_AMOUNT, Reads, SUMS, Y,
};

/// States of the proofs outside the archive.
const LIVE: [State; 4] = [State::Unspent, State::Reserved, State::Pending, State::PendingSpent];

/// Returns a state's number in keys. Part of the file format.
pub(super) fn state_code(state: State) -> u8 {
    match state {
        State::Unspent => 0,
        State::Reserved => 1,
        State::Pending => 2,
        State::PendingSpent => 3,
        State::Spent => 4,
    }
}

/// Returns the keys of the proofs of one (mint, unit, state), from amount `low` to `high`.
pub(super) fn key_range<'k>(
    mint: &'k str,
    unit: &'k str,
    state: State,
    low: u64,
    high: u64,
) -> RangeInclusive<(&'k str, &'k str, u8, u64, &'static Y)> {
    (mint, unit, state_code(state), low, &[0; 33])
        ..=(mint, unit, state_code(state), high, &[0xFF; 33])
}
pub(super) enum StoredProof {
    /// Not spent.
    Live(Box<ProofInfo>),
    /// In the archive.
    Spent,
}

impl StoredProof {
    fn state(&self) -> State {
        match self {
            Self::Live(info) => info.state,
            Self::Spent => State::Spent,
        }
    }
}

fn find(
    live: &impl ReadableTable<&'static Y, &'static [u8]>,
    archive: &impl ReadableTable<&'static Y, (u64, Option<ArchivedProof>)>,
    y: &Y,
) -> Result<Option<StoredProof>, StoreError> {
    if let Some(row) = live.get(y)? {
        return Ok(Some(StoredProof::Live(Box::new(decode("proofs", row.value())?))));
    }
    Ok(archive.get(y)?.map(|_| StoredProof::Spent))
}

/// The five proof tables, open for writing, and the marks for relays.
pub(super) struct ProofTables<'t> {
    live: Table<'t, &'static Y, &'static [u8]>,
    archive: Table<'t, &'static Y, (u64, Option<ArchivedProof>)>,
    by_amount: Table<'t, ByAmountKey, ByAmountValue>,
    sums: Table<'t, (&'static str, &'static str, u8), (u128, u64)>,
    operations: Table<'t, (&'static OperationId, &'static Y), ()>,
    marks: ChangeMarks<'t>,
    now: u64,
}

impl<'t> ProofTables<'t> {
    pub(super) fn open(tx: &'t WriteTransaction, now: u64) -> Result<Self, StoreError> {
        Ok(Self {
            live: tx.open_table(PROOFS)?,
            archive: tx.open_table(ARCHIVE)?,
            by_amount: tx.open_table(PROOFS_BY_AMOUNT)?,
            sums: tx.open_table(SUMS)?,
            operations: tx.open_table(OPERATIONS)?,
            marks: ChangeMarks::open(tx)?,
            now,
        })
    }

    pub(super) fn find(&self, y: &Y) -> Result<Option<StoredProof>, StoreError> {
        find(&self.live, &self.archive, y)
    }

    /// Writes `info` where its state belongs, in place of `before`, which [`ProofTables::find`]
    /// returned in this transaction.
    pub(super) fn put(
        &mut self,
        before: Option<&StoredProof>,
        info: ProofInfo,
    ) -> Result<(), StoreError> {
        let y = info.y.to_bytes();
        self.marks.changed(&y)?;
        match before {
            None => self.marks.owned(&y)?,
            Some(StoredProof::Live(before)) => {
                self.unindex(before, &y)?;
                if info.state == State::Spent {
                    self.live.remove(&y)?;
                }
            }
            Some(StoredProof::Spent) => drop(self.archive.remove(&y)?),
        }
        if info.state == State::Spent {
            return archive::put(&mut self.archive, self.now, info);
        }
        self.count(&info, true)?;
        let (mint, unit) = (info.mint_url.to_string(), info.unit.to_string());
        let keyset = info.proof.keyset_id.to_bytes();
        let key =
            (mint.as_str(), unit.as_str(), state_code(info.state), info.proof.amount.to_u64(), &y);
        self.by_amount.insert(key, (keyset.as_slice(), info.spending_condition.is_some()))?;
        if let Some(operation) = info.used_by_operation {
            self.operations.insert((operation.as_bytes(), &y), ())?;
        }
        self.live.insert(&y, encode(&info)?.as_slice())?;
        Ok(())
    }

    /// Returns a spent proof, while it is kept whole.
    pub(super) fn whole(&self, y: &Y) -> Result<Option<ProofInfo>, StoreError> {
        archived(&self.archive, y)
    }

    fn unindex(&mut self, info: &ProofInfo, y: &Y) -> Result<(), StoreError> {
        self.count(info, false)?;
        let (mint, unit) = (info.mint_url.to_string(), info.unit.to_string());
        self.by_amount.remove((
            mint.as_str(),
            unit.as_str(),
            state_code(info.state),
            info.proof.amount.to_u64(),
            y,
        ))?;
        if let Some(operation) = info.used_by_operation {
            self.operations.remove((operation.as_bytes(), y))?;
        }
        Ok(())
    }

    fn count(&mut self, info: &ProofInfo, comes: bool) -> Result<(), StoreError> {
        let (mint, unit) = (info.mint_url.to_string(), info.unit.to_string());
        let key = (mint.as_str(), unit.as_str(), state_code(info.state));
        let (sum, number) = self.sums.get(key)?.map_or((0, 0), |sum| sum.value());
        let amount = u128::from(info.proof.amount.to_u64());
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

fn ys_of(
    operations: &impl ReadableTable<(&'static OperationId, &'static Y), ()>,
    operation: Uuid,
) -> Result<Vec<Y>, StoreError> {
    let name = operation.as_bytes();
    let mut ys = Vec::new();
    for entry in operations.range((name, &[0; 33])..=(name, &[0xFF; 33]))? {
        let (key, _) = entry?;
        ys.push(*key.value().1);
    }
    Ok(ys)
}

/// Returns the proofs that an operation uses.
pub(super) fn of_operation(tx: &impl Reads, operation: Uuid) -> Result<Vec<ProofInfo>, StoreError> {
    by_ys(tx, &ys_of(&tx.table(OPERATIONS)?, operation)?)
}

/// Returns the proofs of these Ys, including archived ones that are kept whole. Others are left
/// out.
pub(super) fn by_ys(tx: &impl Reads, ys: &[Y]) -> Result<Vec<ProofInfo>, StoreError> {
    let (live, archive) = (tx.table(PROOFS)?, tx.table(ARCHIVE)?);
    let mut found = Vec::with_capacity(ys.len());
    for y in ys {
        match find(&live, &archive, y)? {
            Some(StoredProof::Live(info)) => found.push(*info),
            Some(StoredProof::Spent) => found.extend(archived(&archive, y)?),
            None => {}
        }
    }
    Ok(found)
}

/// Selection of proofs, at every mint and in every unit. No states means all but Spent.
pub(super) struct Filter {
    pub(super) states: Option<Vec<State>>,
}

impl Filter {
    fn takes(&self, state: u8) -> bool {
        let states = self.states.as_deref().unwrap_or(&LIVE);
        states.iter().any(|one| state_code(*one) == state)
    }

    /// Returns the (mint, unit, state, sum) that match and are not empty.
    fn places(&self, tx: &impl Reads) -> Result<Vec<(String, String, u8, u128)>, StoreError> {
        let mut places = Vec::new();
        for entry in tx.table(SUMS)?.iter()? {
            let (key, sum) = entry?;
            let (of_mint, of_unit, state) = key.value();
            if self.takes(state) {
                places.push((of_mint.to_owned(), of_unit.to_owned(), state, sum.value().0));
            }
        }
        Ok(places)
    }
}

/// Lists the proofs that match, range by range.
pub(super) fn list(tx: &impl Reads, filter: &Filter) -> Result<Vec<ProofInfo>, StoreError> {
    let by_amount = tx.table(PROOFS_BY_AMOUNT)?;
    let mut ys = if filter.takes(state_code(State::Spent)) { archive::ys(tx)? } else { Vec::new() };
    for (mint, unit, state, _) in filter.places(tx)? {
        let low = (mint.as_str(), unit.as_str(), state, 0, &[0; 33]);
        let high = (mint.as_str(), unit.as_str(), state, u64::MAX, &[0xFF; 33]);
        for entry in by_amount.range(low..=high)? {
            ys.push(*entry?.0.value().4);
        }
    }
    by_ys(tx, &ys)
}

/// Balance at one mint in one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The mint's address.
    pub mint: String,
    /// The unit.
    pub unit: String,
    /// Amount that is free to spend.
    pub unspent: u64,
    /// Amount held by an operation: Reserved or Pending.
    pub pending: u64,
    /// Amount in tokens of ours that no one has claimed yet.
    pub pending_spent: u64,
}

impl Store {
    /// Returns proofs by Y, including archived ones that are kept whole. Others are left out.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn proofs(&self, ys: Vec<PublicKey>) -> Result<Vec<ProofInfo>, StoreError> {
        let ys: Vec<Y> = ys.iter().map(PublicKey::to_bytes).collect();
        self.read(move |tx| by_ys(tx, &ys)).await
    }

    /// Returns the states of proofs by Y. An unknown Y is left out.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn states(&self, ys: Vec<PublicKey>) -> Result<Vec<(PublicKey, State)>, StoreError> {
        self.read(move |tx| {
            let (live, archive) = (tx.table(PROOFS)?, tx.table(ARCHIVE)?);
            let mut found = Vec::with_capacity(ys.len());
            for y in ys {
                found.extend(
                    find(&live, &archive, &y.to_bytes())?.map(|stored| (y, stored.state())),
                );
            }
            Ok(found)
        })
        .await
    }

    /// Lists the proofs in these states, at every mint; spent ones only while kept whole. `None`:
    /// all that are not spent.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn proofs_in(
        &self,
        states: Option<Vec<State>>,
    ) -> Result<Vec<ProofInfo>, StoreError> {
        self.read(move |tx| list(tx, &Filter { states })).await
    }

    /// Returns the balances by mint and unit, from the stored sums alone. A mint where everything
    /// is spent is left out.
    ///
    /// # Errors
    /// If the file cannot be read, or a sum does not fit.
    pub async fn balances(&self) -> Result<Vec<Balance>, StoreError> {
        self.read(|tx| {
            let mut balances: BTreeMap<(String, String), Balance> = BTreeMap::new();
            for (mint, unit, state, sum) in (Filter { states: None }).places(tx)? {
                let sum = u64::try_from(sum).map_err(|_| StoreError::Range)?;
                let balance = balances.entry((mint.clone(), unit.clone()));
                let balance = balance.or_insert(Balance {
                    mint,
                    unit,
                    unspent: 0,
                    pending: 0,
                    pending_spent: 0,
                });
                let place = match state {
                    0 => &mut balance.unspent,
                    3 => &mut balance.pending_spent,
                    _ => &mut balance.pending,
                };
                *place = place.checked_add(sum).ok_or(StoreError::Range)?;
            }
            Ok(balances.into_values().collect())
        })
        .await
    }
}
