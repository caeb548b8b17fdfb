//! Tokens handed out and not yet claimed: the only place where their text is kept.
//!
//! The row of one that was returned goes with the change that says so; that of one that was claimed
//! once its mint has said so twice. One of ours is found by its text, whatever else is handed out.

use std::collections::BTreeSet;

use cdk_common::nuts::PublicKey;
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Store;
use super::error::StoreError;
use super::tables::{Reads, TOKEN_BY_DIGEST, TOKENS};
use super::{payments, row};
use crate::model::id::PaymentId;
use crate::model::payment::Payment;
use crate::model::secret::Secret;

/// A token handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// The token's text: whoever has it has the money.
    pub token: Secret,
    /// The Ys of its proofs, to ask the mint whether they are spent.
    pub ys: Vec<PublicKey>,
    /// Locked to a key of another: we cannot take it back while the lock holds.
    pub locked: bool,
    /// When its mint first said that it was claimed, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<u64>,
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Reads a row of the table.
pub(super) fn read(row: &[u8]) -> Result<TokenRow, StoreError> {
    row::decode("tokens", row)
}

/// Writes a token's row and brings its index in line with it. A token never changes its text.
pub(super) fn put(
    tx: &WriteTransaction,
    payment: &PaymentId,
    row: &TokenRow,
) -> Result<(), StoreError> {
    tx.open_table(TOKEN_BY_DIGEST)?.insert(&digest(row.token.reveal()), payment.as_str())?;
    row::put(tx, TOKENS, payment.as_str(), row)
}

/// Takes a token's row away, and with it the only copy of its text.
pub(super) fn forget(tx: &WriteTransaction, payment: &PaymentId) -> Result<(), StoreError> {
    if let Some(row) = row::get::<_, TokenRow>(tx, TOKENS, payment.as_str())? {
        tx.open_table(TOKEN_BY_DIGEST)?.remove(&digest(row.token.reveal()))?;
    }
    row::remove(tx, TOKENS, payment.as_str())
}

impl Store {
    /// The token of a payment, while it is neither claimed nor returned.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn token(&self, id: &PaymentId) -> Result<Option<TokenRow>, StoreError> {
        let id = id.clone();
        self.read(move |tx| {
            let row: Option<TokenRow> = row::get(tx, TOKENS, id.as_str())?;
            Ok(row.filter(|row| row.claimed_at.is_none()))
        })
        .await
    }

    /// The payment whose token this text is, while the token is neither claimed nor returned.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn payment_of_token(&self, text: &str) -> Result<Option<PaymentId>, StoreError> {
        let digest = digest(text);
        self.read(move |tx| {
            let Some(id) = tx.table(TOKEN_BY_DIGEST)?.get(&digest)?.map(|id| id.value().to_owned())
            else {
                return Ok(None);
            };
            let row: TokenRow = row::get(tx, TOKENS, id.as_str())?
                .ok_or(StoreError::Missing("token of an index"))?;
            let payment =
                payments::get(tx, &id)?.ok_or(StoreError::Missing("payment of a token"))?;
            Ok(Some(payment.id).filter(|_| row.claimed_at.is_none()))
        })
        .await
    }

    /// The Ys of the coins in all tokens that were handed out and can still be taken back.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn token_ys(&self) -> Result<BTreeSet<PublicKey>, StoreError> {
        self.read(|tx| {
            let mut ys = BTreeSet::new();
            for entry in tx.table(TOKENS)?.iter()? {
                ys.extend(read(entry?.1.value())?.ys);
            }
            Ok(ys)
        })
        .await
    }

    /// The tokens of these payments, each with its payment. One without a token is left out.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn tokens(&self, of: Vec<PaymentId>) -> Result<Vec<(Payment, TokenRow)>, StoreError> {
        self.read(move |tx| {
            let mut found = Vec::new();
            for id in of {
                if let Some(row) = row::get(tx, TOKENS, id.as_str())? {
                    found.push((
                        payments::get(tx, id.as_str())?
                            .ok_or(StoreError::Missing("payment of a token"))?,
                        row,
                    ));
                }
            }
            Ok(found)
        })
        .await
    }
}
