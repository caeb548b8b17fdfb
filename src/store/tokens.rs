//! Tokens handed out and not yet claimed: the only place where their text is kept.
//!
//! The row of one that was returned goes with the change that says so; that of one that was claimed once its mint has said so twice.

use cdk_common::nuts::PublicKey;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::tables::{Reads, TOKENS};
use super::{payments, record};
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

impl Store {
    /// The token of a payment, while it is neither claimed nor returned.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn token(&self, id: &PaymentId) -> Result<Option<TokenRow>, StoreError> {
        let id = id.clone();
        self.read(move |tx| {
            let row: Option<TokenRow> = record::get(tx, TOKENS, id.as_str())?;
            Ok(row.filter(|row| row.claimed_at.is_none()))
        })
        .await
    }

    /// Every token that is neither claimed nor returned, with its payment.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn unclaimed_tokens(&self) -> Result<Vec<(Payment, TokenRow)>, StoreError> {
        let mut rows = self.tokens().await?;
        rows.retain(|(_, row)| row.claimed_at.is_none());
        Ok(rows)
    }

    /// Every token that its mint has called claimed once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn tokens_claimed_once(&self) -> Result<Vec<(Payment, TokenRow)>, StoreError> {
        let mut rows = self.tokens().await?;
        rows.retain(|(_, row)| row.claimed_at.is_some());
        Ok(rows)
    }

    async fn tokens(&self) -> Result<Vec<(Payment, TokenRow)>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for entry in tx.table(TOKENS)?.iter()? {
                let (id, row) = entry?;
                let payment = payments::get(tx, id.value())?.ok_or(StoreError::Missing("payment of a token"))?;
                found.push((payment, record::decode("tokens", row.value())?));
            }
            Ok(found)
        })
        .await
    }
}
