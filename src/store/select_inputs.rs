//! Selects inputs from the index of unspent proofs by amount, largest first, without a scan.
//!
//! Never selects a proof with spending conditions, or of a keyset whose fee the caller did not
//! give. Reserves nothing.

use std::collections::{BTreeMap, HashMap};

use cdk_common::nuts::{Id, State};
use cdk_common::wallet::ProofInfo;
use redb::ReadableTable;

use super::Store;
use super::coin_selection::{Candidate, Candidates, Need, fee, largest, max_spendable, select};
use super::error::StoreError;
use super::proofs::{by_ys, key_range};
use super::tables::{ByAmountKey, ByAmountValue, PROOFS_BY_AMOUNT, Reads, Y};
use crate::model::mint::MintAddress;
use crate::model::money::Unit;

/// Inputs for one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The proofs, all unspent when they were selected.
    pub proofs: Vec<ProofInfo>,
    /// The mint's input fee for them.
    pub fee: u64,
}

struct AmountIndex<'a, T> {
    table: &'a T,
    mint: &'a str,
    unit: &'a str,
    fees: &'a HashMap<Vec<u8>, u64>,
}

impl<T> Candidates for AmountIndex<'_, T>
where
    T: ReadableTable<ByAmountKey, ByAmountValue>,
{
    type Error = StoreError;

    fn pile(
        &self,
        at_most: u64,
        limit: impl Fn(u64) -> usize,
        wanted: impl Fn(&Candidate) -> bool,
    ) -> Result<Vec<Candidate>, StoreError> {
        let mut pile: Vec<Candidate> = Vec::new();
        for entry in
            self.table.range(key_range(self.mint, self.unit, State::Unspent, 1, at_most))?.rev()
        {
            let (key, value) = entry?;
            let (_, _, _, amount, y) = key.value();
            if pile
                .first()
                .is_some_and(|first| first.amount != amount || pile.len() >= limit(amount))
            {
                break;
            }
            let (keyset, locked) = value.value();
            if let (false, Some(ppk)) = (locked, self.fees.get(keyset)) {
                pile.extend(Some(Candidate { amount, ppk: *ppk, y: *y }).filter(&wanted));
            }
        }
        Ok(pile)
    }
}

impl Store {
    /// Counts the unspent proofs at one mint by amount, in sats.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn unspent_amounts(
        &self,
        mint: &MintAddress,
    ) -> Result<BTreeMap<u64, usize>, StoreError> {
        let mint = mint.as_str().to_owned();
        self.read(move |tx| {
            let mut counts = BTreeMap::new();
            for entry in tx.table(PROOFS_BY_AMOUNT)?.range(key_range(
                &mint,
                Unit::sat().as_str(),
                State::Unspent,
                1,
                u64::MAX,
            ))? {
                let count: &mut usize = counts.entry(entry?.0.value().3).or_default();
                *count = count.saturating_add(1);
            }
            Ok(counts)
        })
        .await
    }

    /// Returns the largest amount that can be spent at one mint besides the input fee, and the
    /// largest such fee, if a selection may cost `fee_at_most` ([`Need::Spend`]) or the fee of one
    /// proof, whichever is more. `beside` adds further proofs, as (amount, fee in thousandths of a
    /// sat).
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn max_spendable(
        &self,
        mint: &MintAddress,
        fee_ppk: HashMap<Id, u64>,
        fee_at_most: u64,
        beside: Vec<(u64, u64)>,
    ) -> Result<(u64, u64), StoreError> {
        let (mint, unit) = (mint.as_str().to_owned(), Unit::sat());
        self.read(move |tx| {
            let fees = fee_ppk.into_iter().map(|(id, ppk)| (id.to_bytes(), ppk)).collect();
            let index = AmountIndex {
                table: &tx.table(PROOFS_BY_AMOUNT)?,
                mint: &mint,
                unit: unit.as_str(),
                fees: &fees,
            };
            let mut candidates: Vec<Candidate> = beside
                .into_iter()
                .map(|(amount, ppk)| Candidate { amount, ppk, y: [0; 33] })
                .collect();
            candidates.extend(largest(&index)?);
            Ok(max_spendable(candidates, fee_at_most))
        })
        .await
    }

    /// Selects inputs for `need` at one mint in one unit. `None` if the proofs there do not
    /// suffice. `fee_ppk` lists the keysets that may be spent, with the fee per input in
    /// thousandths.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn select_inputs(
        &self,
        mint: &MintAddress,
        unit: &Unit,
        need: Need,
        fee_ppk: HashMap<Id, u64>,
    ) -> Result<Option<Selection>, StoreError> {
        let (mint, unit) = (mint.as_str().to_owned(), unit.as_str().to_owned());
        self.read(move |tx| {
            let fees = fee_ppk.into_iter().map(|(id, ppk)| (id.to_bytes(), ppk)).collect();
            let candidates = select(
                &AmountIndex {
                    table: &tx.table(PROOFS_BY_AMOUNT)?,
                    mint: &mint,
                    unit: &unit,
                    fees: &fees,
                },
                need,
            )?;
            let Some(candidates) = candidates else { return Ok(None) };
            let ys: Vec<Y> = candidates.iter().map(|candidate| candidate.y).collect();
            Ok(Some(Selection { proofs: by_ys(tx, &ys)?, fee: fee(&candidates) }))
        })
        .await
    }
}
