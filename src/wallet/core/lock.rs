//! One planner per payment at a time: of many calls for one invoice the first asks the mint, the
//! others wait until it is admitted. A call says under which names its payment will be found, so
//! that whoever looks for it meanwhile is not told that there is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::wallet::core::digest::digest;

/// Held from the look at the journal until the payment is admitted.
pub(in crate::wallet) type Pass = OwnedMutexGuard<()>;

/// A call under way that may record a payment under a name, until it is dropped.
#[derive(Debug)]
pub(in crate::wallet) struct Announced(
    #[expect(dead_code, reason = "held, never read")] Arc<AsyncMutex<()>>,
);

/// A name by which an agent's payment is looked up.
#[derive(Clone, Copy, Debug)]
pub(in crate::wallet) enum Name<'a> {
    /// The payment hash of its invoice, in lower-case hex.
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

/// The gates, by payment hash. A gate nobody uses is forgotten.
#[derive(Debug, Default)]
pub(in crate::wallet) struct Gates(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl Gates {
    /// Waits for the gate of `name`.
    pub(in crate::wallet) async fn pass(&self, name: &str) -> Pass {
        self.gate(name).lock_owned().await
    }

    /// Says that a call may record a payment of this agent under these names.
    pub(in crate::wallet) fn announce(
        &self,
        agent: &str,
        names: &[Option<Name<'_>>],
    ) -> Vec<Announced> {
        names.iter().flatten().map(|name| Announced(self.gate(&name.of(agent)))).collect()
    }

    /// A call under way may record a payment of this agent under this name.
    pub(in crate::wallet) fn is_announced(&self, agent: &str, name: Name<'_>) -> bool {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.get(&name.of(agent)).is_some_and(|gate| gate.strong_count() > 0)
    }

    fn gate(&self, name: &str) -> Arc<AsyncMutex<()>> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| gate.strong_count() > 0);
        match gates.get(name).and_then(Weak::upgrade) {
            Some(gate) => gate,
            None => {
                let gate = Arc::new(AsyncMutex::new(()));
                gates.insert(name.to_owned(), Arc::downgrade(&gate));
                gate
            }
        }
    }
}
