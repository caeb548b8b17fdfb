//! What the wallet is: one row. `real` is a latch, and the wallet's id never changes.

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::record;
use super::tables::{META, Reads};
use crate::model::keys::KeysPlace;

const KEY: &str = "meta";

/// What the wallet is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Random, made when the file was made.
    pub wallet_id: String,
    /// Which of the mnemonic's devices this home is.
    pub device: u32,
    /// It ever held real money. Never goes back.
    pub real: bool,
    /// What the owner's files said when they were last read: the policy's canonical text.
    pub policy_fingerprint: Option<String>,
    /// When that last changed, in Unix seconds.
    pub policy_changed_at: Option<u64>,
    /// Where its keys are. `None` until they are made.
    pub keys: Option<KeysPlace>,
}

/// The row of a new wallet.
pub(super) fn create(tx: &WriteTransaction) -> Result<(), StoreError> {
    let meta = Meta {
        wallet_id: uuid::Uuid::new_v4().simple().to_string(),
        device: 0,
        real: false,
        policy_fingerprint: None,
        policy_changed_at: None,
        keys: None,
    };
    record::put(tx, META, KEY, &meta)
}

/// The row; without it the file is not ours.
pub(super) fn get(tx: &impl Reads) -> Result<Meta, StoreError> {
    record::get(tx, META, KEY)?.ok_or_else(|| StoreError::Damaged("it is not a wallet of this program".to_owned()))
}

impl Store {
    /// What the wallet is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn meta(&self) -> Result<Meta, StoreError> {
        self.read(get).await
    }

    /// Changes what the wallet is, durably, and returns it. `real` never goes back to `false`, and the id stays.
    ///
    /// # Errors
    /// When the file cannot be written; nothing has changed then.
    pub async fn set_meta(&self, change: impl FnOnce(&mut Meta) + Send + 'static) -> Result<Meta, StoreError> {
        self.write_durable(move |tx| {
            let before = get(tx)?;
            let mut after = before.clone();
            change(&mut after);
            after.real |= before.real;
            after.wallet_id = before.wallet_id;
            record::put(tx, META, KEY, &after)?;
            Ok(after)
        })
        .await
    }
}
