//! The source of the wallet that the tools use.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use super::error::Error;
use crate::wallet::{Caller, Wallet};

/// A wallet that opens at its first use: a session lists its tools without home or network.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// Returns the wallet; opens it the first time.
    ///
    /// # Errors
    /// `wallet_busy`, `settings_invalid`, `wallet_locked`, `wallet_damaged`, `storage_failed`:
    /// nothing moved.
    async fn wallet(&self) -> Result<Wallet, Error>;

    /// Returns whether money is in progress or an invoice may still be paid. Opens no wallet.
    async fn has_open(&self) -> bool {
        false
    }

    /// Counts the deposits whose coins were issued but are not here; 0 while no wallet is open.
    /// Opens none.
    async fn disputed(&self) -> usize {
        0
    }

    /// Returns the only tools that this agent has. `None` means all tools, also if the owner's
    /// settings cannot be read: every call then fails anyway. Opens and creates nothing.
    fn tools_of(&self, _caller: &Caller) -> Option<BTreeSet<String>> {
        None
    }
}
