//! The wallet engine: typed requests in, typed results out. Only this code orders effects.
//! [`Wallet`] hands out handles; each folder contains one kind of operation, or shared code.
//!
//! Money leaves only through [`door`]. The owner's rules (trusted mints, limits, kind of money) are
//! read again before every admission.

pub mod core;
mod deposit;
pub mod doctor;
pub mod door;
pub mod engine;
mod execution;
mod nutzaps;
mod outbox;
mod payment;
mod people;
mod proofs;
pub mod recovery;
mod reports;
mod sync;
mod token;
mod wallet_event;
mod zap;

use tokio::sync::watch;

pub use crate::wallet::core::Caller;
use crate::wallet::core::Core;
pub use crate::wallet::core::Parts;
pub use crate::wallet::core::deadline::Deadline;
pub use crate::wallet::core::failure::Failure;
pub use crate::wallet::core::relays::{InTheWay, Sight};
use crate::wallet::deposit::Deposits;
pub use crate::wallet::deposit::open::DepositIntent;
pub use crate::wallet::nutzaps::outgoing::Delivered;
use crate::wallet::payment::Payments;
pub use crate::wallet::payment::estimate::Estimated;
pub use crate::wallet::payment::pay::PaymentIntent;
use crate::wallet::recovery::Recovery;
pub use crate::wallet::recovery::give_up::MayGiveUp;
pub use crate::wallet::recovery::undecided::{Undecided, Why};
use crate::wallet::reports::Reports;
pub use crate::wallet::reports::balance::Holdings;
pub use crate::wallet::reports::history::{
    Cursor, Entry, Group, Grouping, History, HistoryNote, HistoryQuery,
};
pub use crate::wallet::reports::lookup::Lookup;
pub use crate::wallet::reports::mints::MintStanding;
pub use crate::wallet::reports::sync::{
    NostrStanding, RelayStatus, SyncReport, SyncState, Trouble,
};
use crate::wallet::sync::OwnRelays;
pub use crate::wallet::sync::listen::News;
use crate::wallet::token::Tokens;
pub use crate::wallet::token::receive::{IncomingToken, TokenError};
pub use crate::wallet::token::send::{LockKey, TokenIntent};
use crate::wallet::zap::Zaps;
pub use zap::{Via, ZapIntent};

#[cfg(feature = "failpoints")]
use crate::store::Failpoint;

pub use crate::nostr::recipient::{NotARecipient, Recipient, parse as read_recipient};

/// The wallet. Its operations are reached through handles; a clone shares the same state.
#[derive(Clone, Debug)]
pub struct Wallet {
    core: Core,
}

impl Wallet {
    /// Opens the wallet; contacts nobody. Call `Recovery::finish_startup` before anything else.
    ///
    /// # Errors
    /// [`Cause::Store`](core::failure::Cause::Store).
    pub async fn new(parts: Parts) -> Result<Self, Failure> {
        Ok(Self { core: Core::new(parts).await? })
    }

    /// Returns a counter that changes each time something happens to money.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.core.notices.subscribe()
    }

    /// Returns the current Unix time in seconds, by the wallet's clock.
    pub fn now(&self) -> u64 {
        (self.core.clock)()
    }

    /// Waits until something asks for another `Recovery::settle`.
    pub async fn settle_wanted(&self) {
        self.core.settle_wake.notified().await;
    }

    /// Refreshes the keysets of the mints in use, well before a payment needs them.
    pub async fn refresh_mints(&self) {
        for mint in self.core.mints.in_use() {
            if let Err(error) = mint.refresh().await {
                tracing::debug!(%error, "a mint's keysets were not refreshed");
            }
        }
    }

    /// Ends waits and gives running operations `patience` to finish. Open payments stay recorded.
    pub async fn close(&self, patience: std::time::Duration) {
        self.core.closing.cancel();
        self.core.running.close();
        let _all_ended = tokio::time::timeout(patience, self.core.running.wait()).await;
        if let Some(link) = &self.core.nostr {
            tokio::join!(link.parts.relays.close(), link.parts.anonymous_relays.close());
        }
    }

    /// Returns whether the wallet's file failed. If so, this wallet can do nothing more; reopen the
    /// file with a new one.
    pub fn has_failed(&self) -> bool {
        self.core.store.has_failed()
    }

    /// Sets the failpoint, for crash tests.
    #[cfg(feature = "failpoints")]
    pub fn set_failpoint(&self, failpoint: Failpoint) {
        self.core.store.set_failpoint(failpoint);
    }

    /// Closes the wallet's file. Operations still running can record nothing more; the next wallet
    /// to open the file asks the mints about them.
    pub async fn shut(&self) {
        self.core.store.close().await;
    }

    /// Runs `work` on a tracked task and waits until it ends. `None`: it panicked.
    ///
    /// # Cancel safety
    /// Safe to drop: `work` continues.
    pub async fn to_its_end<T, F>(&self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.core.to_its_end(work).await
    }

    /// Returns a handle for one call, with that call's deadline.
    #[must_use]
    pub fn until(&self, deadline: Deadline) -> Self {
        Self { core: self.core.until(deadline) }
    }

    /// Returns the handle for paying invoices and addresses, and for looking up payments.
    pub fn payments(&self) -> Payments<'_> {
        Payments(&self.core)
    }

    /// Returns the handle for sending, redeeming and reclaiming tokens.
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens(&self.core)
    }

    /// Returns the handle for deposits over Lightning.
    pub fn deposits(&self) -> Deposits<'_> {
        Deposits(&self.core)
    }

    /// Returns the handle for zaps.
    pub fn zaps(&self) -> Zaps<'_> {
        Zaps(&self.core)
    }

    /// Returns the handle for balances, history and sync.
    pub fn reports(&self) -> Reports<'_> {
        Reports(&self.core)
    }

    /// Returns the handle for this wallet's data on the owner's relays.
    pub fn relays(&self) -> OwnRelays<'_> {
        OwnRelays(&self.core)
    }

    /// Returns the handle for recovery and for the upkeep of the wallet's file.
    pub fn recovery(&self) -> Recovery<'_> {
        Recovery(&self.core)
    }
}
