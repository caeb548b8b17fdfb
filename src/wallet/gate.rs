//! One planner per payment at a time: of many calls for one invoice the first asks the mint, the others wait until it is admitted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Held from the look at the journal until the payment is admitted.
pub(super) type Pass = OwnedMutexGuard<()>;

/// The gates, by payment hash. A gate nobody uses is forgotten.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl Gates {
    /// Waits for the gate of `name`.
    pub(super) async fn pass(&self, name: &str) -> Pass {
        let gate = {
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
        };
        gate.lock_owned().await
    }
}
