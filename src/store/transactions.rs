//! cdk's own list of transactions. Our history is the journal's; this one is for cdk.
//!
//! Never read by a tool.

use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::CurrencyUnit;
use cdk_common::wallet::{Transaction, TransactionDirection, TransactionId};
use redb::WriteTransaction;

use super::error::StoreError;
use super::record;
use super::tables::{Reads, TRANSACTIONS};

pub(super) fn get(tx: &impl Reads, id: &TransactionId) -> Result<Option<Transaction>, StoreError> {
    record::get(tx, TRANSACTIONS, id.as_bytes())
}

pub(super) fn list(
    tx: &impl Reads,
    mint: &Option<MintUrl>,
    direction: &Option<TransactionDirection>,
    unit: &Option<CurrencyUnit>,
) -> Result<Vec<Transaction>, StoreError> {
    let mut found: Vec<Transaction> = record::all(tx, TRANSACTIONS)?;
    found.retain(|transaction| transaction.matches_conditions(mint, direction, unit));
    found.sort_by_key(|transaction| std::cmp::Reverse(transaction.timestamp));
    Ok(found)
}

pub(super) fn put(tx: &WriteTransaction, transaction: &Transaction) -> Result<(), StoreError> {
    record::put(tx, TRANSACTIONS, transaction.id().as_bytes(), transaction)
}

pub(super) fn remove(tx: &WriteTransaction, id: &TransactionId) -> Result<(), StoreError> {
    record::remove(tx, TRANSACTIONS, id.as_bytes())
}
