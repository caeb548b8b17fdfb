//! The engine: typed in, typed out, and the only place where effects are ordered. [`Wallet`] hands
//! out handles; each folder holds one kind of verb or what verbs share.
//!
//! Value leaves through [`door`] alone. What to trust, how much may leave and what the money
//! is comes from the owner's rules, which are read again before every admission.

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

/// The wallet. A clone is the same wallet. What it can do is reached through its handles.
#[derive(Clone, Debug)]
pub struct Wallet {
    core: Core,
}

impl Wallet {
    /// Puts the wallet together. Contacts nobody; call `Recovery::finish_startup` before anything
    /// else.
    ///
    /// # Errors
    /// [`Cause::Store`](core::failure::Cause::Store).
    pub async fn new(parts: Parts) -> Result<Self, Failure> {
        Ok(Self { core: Core::new(parts).await? })
    }

    /// Changes each time something happens to money: a counter, for whoever wants to look again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.core.notices.subscribe()
    }

    /// Unix seconds now, by the wallet's clock.
    pub fn now(&self) -> u64 {
        (self.core.clock)()
    }

    /// Returns when somebody wants `Recovery::settle` to look again.
    pub async fn settle_wanted(&self) {
        self.core.settle_wake.notified().await;
    }

    /// Asks the mints in use for their keysets again. For the background, well before any payment
    /// would need it.
    pub async fn refresh_mints(&self) {
        for mint in self.core.mints.in_use() {
            if let Err(error) = mint.refresh().await {
                tracing::debug!(%error, "a mint's keysets were not refreshed");
            }
        }
    }

    /// Ends what waits and lets what runs come to its end, at most `patience`. Open payments stay
    /// recorded as open.
    pub async fn close(&self, patience: std::time::Duration) {
        self.core.closing.cancel();
        self.core.running.close();
        let _all_ended = tokio::time::timeout(patience, self.core.running.wait()).await;
        if let Some(link) = &self.core.nostr {
            tokio::join!(link.parts.relays.close(), link.parts.anonymous_relays.close());
        }
    }

    /// The wallet's file failed: this wallet can do nothing more, and another over the same file
    /// can.
    pub fn has_failed(&self) -> bool {
        self.core.store.has_failed()
    }

    /// Follows a plan to stand still, for tests of crashes.
    #[cfg(feature = "failpoints")]
    pub fn set_failpoint(&self, failpoint: Failpoint) {
        self.core.store.set_failpoint(failpoint);
    }

    /// Lets the wallet's file go. What is still under way can record nothing more; the next wallet
    /// over this file asks the mints.
    pub async fn shut(&self) {
        self.core.store.close().await;
    }

    /// Runs `work` on a tracked task and waits for its end. `None`: it panicked.
    ///
    /// # Cancel safety
    /// Safe to drop: the work goes on.
    pub async fn to_its_end<T, F>(&self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.core.to_its_end(work).await
    }

    /// The same wallet for one call, whose caller waits until then.
    #[must_use]
    pub fn until(&self, deadline: Deadline) -> Self {
        Self { core: self.core.until(deadline) }
    }

    /// Paying an invoice or an address, and what became of a payment.
    pub fn payments(&self) -> Payments<'_> {
        Payments(&self.core)
    }

    /// Money handed over as a token: made, taken in, taken back.
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens(&self.core)
    }

    /// Money that comes in over Lightning.
    pub fn deposits(&self) -> Deposits<'_> {
        Deposits(&self.core)
    }

    /// Money for a person or an event on Nostr.
    pub fn zaps(&self) -> Zaps<'_> {
        Zaps(&self.core)
    }

    /// What the wallet holds, where, and what has happened.
    pub fn reports(&self) -> Reports<'_> {
        Reports(&self.core)
    }

    /// This wallet on the owner's relays.
    pub fn relays(&self) -> OwnRelays<'_> {
        OwnRelays(&self.core)
    }

    /// What was cut short, is undecided, or was lost with a device, and the upkeep of the wallet's
    /// file.
    pub fn recovery(&self) -> Recovery<'_> {
        Recovery(&self.core)
    }
}
