//! Open deposits and tokens, by id. Reads the indexes, and only those rows that the caller does not
//! know yet.

use std::sync::atomic::Ordering;

use redb::ReadableTable;

use super::Store;
use super::error::StoreError;
use super::tables::{DEPOSITS_OPEN, Reads, TOKENS};
use super::tokens::{self, TokenRow};
use super::{deposits, payments};
use crate::model::deposit::Deposit;
use crate::model::payment::Payment;

/// Deposits that are not received, and tokens whose text is stored.
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    /// The ids of all such deposits.
    pub deposits: Vec<String>,
    /// The rows of those deposits that the caller did not know yet.
    pub new_deposits: Vec<Deposit>,
    /// The ids of the payments of all such tokens.
    pub tokens: Vec<String>,
    /// The rows of those tokens that the caller did not know yet, with their payments.
    pub new_tokens: Vec<(Payment, TokenRow)>,
}

impl Store {
    /// Returns the number of commits since the file was opened. If it has not changed, neither has
    /// the file.
    pub fn commits(&self) -> u64 {
        self.inner.visible.load(Ordering::Acquire)
    }

    /// Returns the open deposits and tokens, with the rows of those that `is_new` selects.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn unfinished(
        &self,
        is_new: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Unfinished, StoreError> {
        self.read(move |tx| {
            let mut found = Unfinished::default();
            for entry in tx.table(DEPOSITS_OPEN)?.iter()? {
                let (key, _) = entry?;
                let (_, _, id) = key.value();
                if is_new(id) {
                    found.new_deposits.push(
                        deposits::get(tx, id)?.ok_or(StoreError::Missing("deposit of an index"))?,
                    );
                }
                found.deposits.push(id.to_owned());
            }
            for entry in tx.table(TOKENS)?.iter()? {
                let (id, row) = entry?;
                let id = id.value();
                if is_new(id) {
                    let payment =
                        payments::get(tx, id)?.ok_or(StoreError::Missing("payment of a token"))?;
                    found.new_tokens.push((payment, tokens::read(row.value())?));
                }
                found.tokens.push(id.to_owned());
            }
            Ok(found)
        })
        .await
    }
}
