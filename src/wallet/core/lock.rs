//! Keyed locks for payments, deposits and received tokens. Of several calls for one invoice, the
//! first asks the mint; the others wait until the payment is admitted.
//!
//! A call also announces the names under which its payment will be recorded, so that a lookup in
//! the meantime does not answer "not found".

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::wallet::core::digest::digest;

/// Lock of one name; a payment holds it from the journal lookup until admission.
pub(crate) type PaymentLock = OwnedMutexGuard<()>;

/// Announcement that a running call may record a payment under a name; withdrawn on drop.
#[derive(Debug)]
pub(crate) struct Announced(#[expect(dead_code, reason = "held, never read")] Arc<AsyncMutex<()>>);

/// A name by which an agent's payment is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name<'a> {
    /// Payment hash of the invoice, in lower-case hex.
    Hash(&'a str),
    /// The agent's idempotency key.
    Key(&'a str),
}

impl Name<'_> {
    fn of(self, agent: &str) -> String {
        match self {
            Self::Hash(hash) => digest(&[agent, "hash", hash]),
            Self::Key(key) => digest(&[agent, "key", key]),
        }
    }
}

/// Locks by name. An unused lock is removed at the next call.
#[derive(Debug, Default)]
pub(crate) struct KeyedLocks(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl KeyedLocks {
    /// Waits for the lock of `name`.
    pub(crate) async fn pass(&self, name: &str) -> PaymentLock {
        self.gate(name).lock_owned().await
    }

    /// Announces that a call may record a payment of this agent under these names.
    pub(crate) fn announce(&self, agent: &str, names: &[Option<Name<'_>>]) -> Vec<Announced> {
        names.iter().flatten().map(|name| Announced(self.gate(&name.of(agent)))).collect()
    }

    /// Returns whether a running call may record a payment of this agent under this name.
    pub(crate) fn is_announced(&self, agent: &str, name: Name<'_>) -> bool {
        let locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.get(&name.of(agent)).is_some_and(|gate| gate.strong_count() > 0)
    }

    fn gate(&self, name: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, gate| gate.strong_count() > 0);
        match locks.get(name).and_then(Weak::upgrade) {
            Some(gate) => gate,
            None => {
                let gate = Arc::new(AsyncMutex::new(()));
                locks.insert(name.to_owned(), Arc::downgrade(&gate));
                gate
            }
        }
    }
}
