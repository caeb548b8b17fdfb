//! The verbs. One file each; the only place where effects are ordered.
//!
//! Value leaves through [`spend`](self) alone. What to trust, how much may leave and what the money
//! is comes from the owner's rules, which are read again before every admission.

mod balance;
mod balances;
mod cancel;
mod claimed;
pub mod clock;
mod coins;
mod deadline;
mod deposit;
mod detach;
mod digest;
mod dispute;
mod disputed_swaps;
mod draft;
mod estimate;
mod exact;
pub mod failure;
mod gate;
mod give_up;
mod history;
mod in_flight;
mod inputs;
mod issue;
mod journal;
mod judge;
mod known;
mod list_mints;
mod lnurl;
mod lookup;
mod melt;
pub mod nostr;
mod offer;
mod outgoing_text;
mod owner;
mod pay;
mod preimage;
mod receive;
mod reclaim;
pub mod record;
mod recover;
pub mod restore;
mod rounds;
pub mod rules;
mod send;
mod settle;
mod spend;
mod state;
mod swap;
mod sync;
mod take_in;
mod token;
mod turn;
mod undecided;
pub mod upkeep;
mod zap;

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::nostr::{InTheWay, Sight};
use self::nostr::{Link, Nostr};
pub use balance::Holdings;
pub use deadline::Deadline;
pub use deposit::DepositIntent;
pub use estimate::Estimated;
pub use failure::Failure;
use gate::Gates;
pub use give_up::MayGiveUp;
pub use history::{Cursor, Entry, Group, Grouping, History, HistoryQuery, Note};
use in_flight::Gone;
pub use list_mints::MintStanding;
pub use lookup::Lookup;
pub use pay::PaymentIntent;
pub use receive::{IncomingToken, TokenError};
use rounds::Rounds;
use rules::Rules;
pub use send::{LockKey, TokenIntent};
pub use sync::{NostrStanding, RelayStatus, SyncReport, SyncState, Trouble};
pub use undecided::{Undecided, Why};
pub use zap::{Via, ZapIntent};

use crate::mint::Mints;
use crate::model::id::PaymentId;
use crate::model::keys::KeysPlace;
use crate::ports::Http;
#[cfg(feature = "failpoints")]
use crate::store::Halt;
use crate::store::Store;

pub use crate::nostr::recipient::{NotARecipient, Recipient, parse as read_recipient};

/// Which agent asks. A label from the client's configuration, never a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The agent's name.
    pub agent: String,
}

/// What a wallet is made of.
#[derive(Debug)]
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The mints.
    pub mints: Mints,
    /// The way to payees' servers.
    pub http: Arc<dyn Http>,
    /// The owner's rules.
    pub rules: Arc<dyn Rules>,
    /// Unix seconds now.
    pub clock: fn() -> u64,
    /// Where the keys lie.
    pub keys: KeysPlace,
    /// Relays and the Nostr key. `None`: Nostr is off.
    pub nostr: Option<Nostr>,
}

/// The wallet. A clone is the same wallet.
#[derive(Clone)]
pub struct Wallet {
    inner: Arc<Inner>,
    /// Until when the caller of this handle waits. `None`: as long as any call, from its own
    /// beginning.
    deadline: Option<Deadline>,
}

/// What all clones share.
pub struct Inner {
    store: Store,
    mints: Mints,
    http: Arc<dyn Http>,
    rules: Arc<dyn Rules>,
    clock: fn() -> u64,
    keys: KeysPlace,
    nostr: Option<Link>,
    /// The wallet has been real: the store's latch, at hand.
    real: AtomicBool,
    running: TaskTracker,
    closing: CancellationToken,
    /// Payments that this process carries, and whether their callers have gone.
    live: Mutex<HashMap<PaymentId, Gone>>,
    gates: Gates,
    rounds: Mutex<Rounds>,
    rechecking: tokio::sync::Mutex<()>,
    looking_up: tokio::sync::Mutex<()>,
    notices: watch::Sender<u64>,
    settle_wake: Notify,
}

impl Deref for Wallet {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wallet")
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inner")
    }
}

impl Wallet {
    /// Puts the wallet together. Contacts nobody; call [`Wallet::recover`] before anything else.
    ///
    /// # Errors
    /// [`failure::Cause::Store`].
    pub async fn new(parts: Parts) -> Result<Self, Failure> {
        let meta = parts.store.meta().await?;
        parts.mints.only(meta.checked);
        let inner = Inner {
            store: parts.store,
            mints: parts.mints,
            http: parts.http,
            rules: parts.rules,
            clock: parts.clock,
            keys: parts.keys,
            nostr: parts.nostr.map(Link::new),
            real: AtomicBool::new(meta.real),
            running: TaskTracker::new(),
            closing: CancellationToken::new(),
            live: Mutex::new(HashMap::new()),
            gates: Gates::default(),
            rounds: Mutex::new(Rounds::default()),
            rechecking: tokio::sync::Mutex::new(()),
            looking_up: tokio::sync::Mutex::new(()),
            notices: watch::Sender::new(0),
            settle_wake: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner), deadline: None })
    }

    /// Changes each time something happens to money: a counter, for whoever wants to look again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.notices.subscribe()
    }

    /// Unix seconds now, by the wallet's clock.
    pub fn now(&self) -> u64 {
        (self.clock)()
    }

    /// Returns when somebody wants [`Wallet::settle`] to look again.
    pub async fn settle_wanted(&self) {
        self.settle_wake.notified().await;
    }

    /// Asks the mints in use for their keysets again. For the background, well before any payment
    /// would need it.
    pub async fn refresh_mints(&self) {
        for mint in self.mints.in_use() {
            if let Err(error) = mint.refresh().await {
                tracing::debug!(%error, "a mint's keysets were not refreshed");
            }
        }
    }

    /// Ends what waits and lets what runs come to its end, at most `patience`. Open payments stay
    /// recorded as open.
    pub async fn close(&self, patience: std::time::Duration) {
        self.closing.cancel();
        self.running.close();
        let _all_ended = tokio::time::timeout(patience, self.running.wait()).await;
        if let Some(link) = &self.nostr {
            tokio::join!(link.parts.relays.close(), link.parts.strangers.close());
        }
    }

    /// The wallet's file failed: this wallet can do nothing more, and another over the same file
    /// can.
    pub fn has_failed(&self) -> bool {
        self.store.has_failed()
    }

    /// Follows a plan to stand still, for tests of crashes.
    #[cfg(feature = "failpoints")]
    pub fn follow_halt(&self, halt: Halt) {
        self.store.follow(halt);
    }

    /// Lets the wallet's file go. What is still under way can record nothing more; the next wallet
    /// over this file asks the mints.
    pub async fn shut(&self) {
        self.store.shut().await;
    }

    fn live(&self) -> MutexGuard<'_, HashMap<PaymentId, Gone>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.settle_wake.notify_one();
    }

    fn changed(&self) {
        self.notices.send_modify(|count| *count = count.wrapping_add(1));
    }
}
