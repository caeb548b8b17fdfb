//! Sent tokens that are not claimed yet: the only place that stores their text.
//!
//! The row of a returned token is removed with the change that records the return; that of a
//! claimed token once its mint has reported it twice. An index finds a token of ours by its text.

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

/// A sent token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// The token's text: anyone who has it has the money.
    pub token: Secret,
    /// The Ys of its proofs, to ask the mint whether they are spent.
    pub ys: Vec<PublicKey>,
    /// `true` if it is locked to another's key: we cannot reclaim it while the lock holds.
    pub locked: bool,
    /// Unix seconds at which the mint first reported it as claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<u64>,
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
pub(super) fn read(row: &[u8]) -> Result<TokenRow, StoreError> {
    row::decode("tokens", row)
}

/// Writes a token's row and updates its index. A token's text never changes.
pub(super) fn put(
    tx: &WriteTransaction,
    payment: &PaymentId,
    row: &TokenRow,
) -> Result<(), StoreError> {
    tx.open_table(TOKEN_BY_DIGEST)?.insert(&digest(row.token.reveal()), payment.as_str())?;
    row::put(tx, TOKENS, payment.as_str(), row)
}

/// Removes a token's row, and with it the only copy of its text.
pub(super) fn forget(tx: &WriteTransaction, payment: &PaymentId) -> Result<(), StoreError> {
    if let Some(row) = row::get::<_, TokenRow>(tx, TOKENS, payment.as_str())? {
        tx.open_table(TOKEN_BY_DIGEST)?.remove(&digest(row.token.reveal()))?;
    }
    row::remove(tx, TOKENS, payment.as_str())
}

impl Store {
    /// Returns the token of a payment, while it is neither claimed nor returned.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn token(&self, id: &PaymentId) -> Result<Option<TokenRow>, StoreError> {
        let id = id.clone();
        self.read(move |tx| {
            let row: Option<TokenRow> = row::get(tx, TOKENS, id.as_str())?;
            Ok(row.filter(|row| row.claimed_at.is_none()))
        })
        .await
    }

    /// Finds the payment whose token has this text, while the token is neither claimed nor
    /// returned.
    ///
    /// # Errors
    /// If the file cannot be read.
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

    /// Returns the Ys of the proofs in all tokens whose text is stored.
    ///
    /// # Errors
    /// If the file cannot be read.
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

    /// Returns the tokens of these payments, each with its payment; one without a token is left
    /// out.
    ///
    /// # Errors
    /// If the file cannot be read.
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
