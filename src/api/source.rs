//! Where the tools get their wallet.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use super::error::Error;
use crate::wallet::{Caller, Wallet};

/// Opens the wallet at its first use, so that a session can list its tools with no home, no network
/// and no settings.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// The open wallet; opens it the first time.
    ///
    /// # Errors
    /// `wallet_busy`, `settings_invalid`, `wallet_locked`, `wallet_damaged`, `storage_failed`:
    /// nothing moved.
    async fn wallet(&self) -> Result<Wallet, Error>;

    /// Something about money is under way or undecided, or an invoice of ours may still be paid.
    /// Opens no wallet.
    async fn has_open(&self) -> bool {
        false
    }

    /// The number of deposits whose mint says that it has issued their coins, though none of them
    /// is here; 0 while no wallet is open. Opens none.
    async fn disputed(&self) -> usize {
        0
    }

    /// The only tools that this agent has. `None`: all, also where the owner's settings cannot be
    /// read, which stop every call by themselves. Opens no wallet, creates nothing.
    fn tools_of(&self, _caller: &Caller) -> Option<BTreeSet<String>> {
        None
    }
}
