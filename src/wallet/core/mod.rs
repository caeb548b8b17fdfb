//! State of the open wallet, shared by all operations: the store, the mints, the owner's rules.

pub mod active_policy;
pub mod clock;
pub(super) mod deadline;
pub(super) mod digest;
pub(super) mod due;
pub mod failure;
pub(super) mod in_flight;
pub(super) mod lock;
pub(super) mod outgoing_text;
pub(super) mod record_state;
pub mod refusals;
pub mod relays;
pub(super) mod run_to_end;
pub(super) mod schedule;

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mint::Mints;
use crate::model::id::PaymentId;
use crate::model::keys::KeysPlace;
use crate::model::mint::MoneyKind;
use crate::ports::Http;
use crate::store::Store;
use crate::wallet::core::active_policy::{Rules, Setup};
use crate::wallet::core::deadline::Deadline;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::in_flight::Gone;
use crate::wallet::core::lock::KeyedLocks;
use crate::wallet::core::relays::{Link, NostrParts};
use crate::wallet::core::schedule::Schedule;

/// The calling agent: a label from the client's configuration, never a tool parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The agent's name.
    pub agent: String,
}

/// Parts a wallet is built from.
#[derive(Debug)]
pub struct Parts {
    /// The wallet's store.
    pub store: Store,
    /// The mints.
    pub mints: Mints,
    /// HTTP client for payees' servers.
    pub http: Arc<dyn Http>,
    /// The owner's rules.
    pub rules: Arc<dyn Rules>,
    /// Returns the current Unix time in seconds.
    pub clock: fn() -> u64,
    /// Location of the wallet's keys.
    pub keys: KeysPlace,
    /// Relays and Nostr keys. `None`: Nostr is off.
    pub nostr: Option<NostrParts>,
}

/// Handle on the open wallet. A clone shares the same state.
#[derive(Clone)]
pub(crate) struct Core {
    inner: Arc<Inner>,
    /// The caller's deadline. `None`: each operation starts its own full-length one.
    deadline: Option<Deadline>,
}

/// State shared by all clones.
pub(crate) struct Inner {
    pub(super) store: Store,
    pub(super) mints: Mints,
    pub(super) http: Arc<dyn Http>,
    pub(super) rules: Arc<dyn Rules>,
    pub(super) clock: fn() -> u64,
    pub(super) keys: KeysPlace,
    pub(super) nostr: Option<Link>,
    /// Cached copy of the store's latch: the wallet has listed a real mint.
    pub(super) real: AtomicBool,
    pub(super) running: TaskTracker,
    pub(super) closing: CancellationToken,
    /// Payments that this process is carrying out, and whether their callers still wait.
    pub(super) live: Mutex<HashMap<PaymentId, Gone>>,
    pub(super) locks: KeyedLocks,
    pub(super) schedule: Mutex<Schedule>,
    pub(super) rechecking: tokio::sync::Mutex<()>,
    pub(super) looking_up: tokio::sync::Mutex<()>,
    pub(super) notices: watch::Sender<u64>,
    pub(super) settle_wake: Notify,
}

impl Core {
    /// Opens the wallet; contacts nobody. Call `Recovery::finish_startup` before anything else.
    pub(super) async fn new(parts: Parts) -> Result<Self, Failure> {
        let meta = parts.store.meta().await?;
        parts.mints.allow_only(meta.checked);
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
            locks: KeyedLocks::default(),
            schedule: Mutex::new(Schedule::default()),
            rechecking: tokio::sync::Mutex::new(()),
            looking_up: tokio::sync::Mutex::new(()),
            notices: watch::Sender::new(0),
            settle_wake: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner), deadline: None })
    }

    pub(super) fn live(&self) -> MutexGuard<'_, HashMap<PaymentId, Gone>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.settle_wake.notify_one();
    }

    pub(super) fn changed(&self) {
        self.notices.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Reads the rules. The first real mint listed makes the wallet real for good.
    pub(super) async fn setup(&self) -> Result<Setup, Failure> {
        let policy = self.rules.current()?;
        if policy.listed_money() == MoneyKind::Real && !self.real.load(Ordering::Acquire) {
            self.store.set_meta(|meta| meta.real = true).await?;
            self.real.store(true, Ordering::Release);
        }
        let real = self.real.load(Ordering::Acquire);
        Ok(Setup { policy, money: if real { MoneyKind::Real } else { MoneyKind::Play } })
    }

    /// Moves an item to the front of the schedule because a caller is waiting for it.
    pub(crate) fn hurry(&self, id: &str) {
        self.schedule().hurry(id);
        self.wake();
    }

    /// Returns a handle for one call, with that call's deadline.
    #[must_use]
    pub(super) fn until(&self, deadline: Deadline) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Returns the caller's deadline. An operation calls this once, first of all, and passes the
    /// result on: without a set deadline, each call starts a new one.
    pub(super) fn deadline(&self) -> Deadline {
        self.deadline.unwrap_or_else(Deadline::of_a_call)
    }
}

impl Deref for Core {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Core")
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inner")
    }
}
