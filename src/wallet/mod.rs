//! The verbs. One file each; the only place where effects are ordered.
//!
//! Value leaves through [`spend`](self) alone. What to trust, how much may leave and what the money
//! is comes from the owner's rules, which are read again before every admission.

mod balance;
mod bury;
mod cancel;
mod claimed;
pub mod clock;
pub mod code;
mod coins;
mod csv;
mod deadline;
mod denied;
mod deposit;
mod detach;
pub mod error;
mod estimate;
mod exact;
mod gate;
mod give_up;
mod history;
mod inputs;
mod issue;
mod journal;
mod known;
mod list_mints;
mod lnurl;
mod lookup;
mod melt;
pub mod nostr;
mod offer;
mod owner;
mod pay;
mod payable;
mod period;
mod preimage;
mod receive;
mod reclaim;
mod recover;
pub mod request;
pub mod restore;
mod rounds;
pub mod rules;
mod send;
mod settle;
mod show;
mod spend;
mod swap;
mod sync;
mod turn;
mod undecided;
pub mod upkeep;
pub mod view;
mod zap;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::nostr::{Link, Nostr};
pub use code::Code;
pub use deadline::Deadline;
pub use error::Error;
#[cfg(feature = "testing")]
pub use error::{MoneyMoved, Retry};
use gate::Gates;
pub use request::Caller;
use rounds::Rounds;
use rules::Rules;
use spend::Gone;

use crate::mint::Mints;
use crate::model::id::PaymentId;
use crate::ports::Http;
#[cfg(feature = "failpoints")]
use crate::store::Halt;
use crate::store::Store;

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
    /// Where the keys lie, in the words of `get_balance`.
    pub keys: &'static str,
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
    keys: &'static str,
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

impl Wallet {
    /// Puts the wallet together. Contacts nobody; call [`Wallet::recover`] before anything else.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    pub async fn new(parts: Parts) -> Result<Self, Error> {
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
