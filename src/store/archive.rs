//! Spent proofs: kept whole, out of the hot table, found by Y, by operation, and by filters that name Spent.
//!
//! Never gives a proof back by itself: only a revive does, after the mint (NUT-07) has said it is unspent.

use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use redb::WriteTransaction;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use super::proofs::Purse;

/// A proof that is spent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Archived {
    /// The proof; its state is Spent.
    pub(super) info: ProofInfo,
    /// When it came here, in Unix seconds.
    pub(super) at: u64,
}

impl Store {
    /// Takes archived proofs back as unspent, durably. For the settle step alone, after the mint has said they are unspent.
    /// Proofs that are not archived stay as they are. Returns how many came back.
    ///
    /// # Errors
    /// [`StoreError::ProofNotFound`] for an unknown Y; nothing has changed then.
    pub async fn revive(&self, ys: Vec<PublicKey>) -> Result<usize, StoreError> {
        let now = self.now();
        self.write_durable(move |tx| revive(tx, now, ys, State::Unspent, None)).await
    }
}

/// Takes archived proofs back in this state, held by this operation; others stay as they are.
pub(super) fn revive(tx: &WriteTransaction, now: u64, ys: Vec<PublicKey>, to: State, operation: Option<Uuid>) -> Result<usize, StoreError> {
    let mut purse = Purse::open(tx, now)?;
    let mut revived = 0_usize;
    for y in ys {
        let before = purse.find(&y.to_bytes())?.ok_or(StoreError::ProofNotFound)?;
        if before.is_archived {
            let mut info = before.info.clone();
            info.state = to;
            info.used_by_operation = operation;
            purse.put(Some(&before), info)?;
            revived = revived.saturating_add(1);
        }
    }
    Ok(revived)
}
