//! The store: one redb file with the proofs, the mint records and the journal.
//!
//! Never touches the network, reads a clock of its own, decides to spend, or deletes a wallet file.
//! Data that a mint can provide again is committed in order without a sync. Journal writes are
//! durable two-phase commits, which also make all earlier commits durable. All redb work runs on
//! the blocking pool.

use std::fmt;
#[cfg(feature = "failpoints")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};

mod archive;
mod cap;
mod coin_selection;
mod commit;
mod commit_slot;
pub mod copies;
mod counters;
mod deposits;
mod error;
#[cfg(feature = "failpoints")]
mod failpoint;
mod given_up;
mod history;
mod ledger;
mod meta;
mod mint_records;
mod mints;
mod nostr;
mod open;
mod operations;
mod pack;
mod payments;
mod proof_state;
mod proofs;
mod receives;
mod row;
mod select_inputs;
mod stale_file;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;
mod unfinished;
mod verify_file;

pub use cap::Capped;
pub use coin_selection::Need;
pub use commit::Change;
pub use error::StoreError;
#[cfg(feature = "failpoints")]
pub use failpoint::Failpoint;
#[cfg(feature = "failpoints")]
use failpoint::Hit;
pub use given_up::OpenRecord;
pub use history::{Cursor, HistoryFilter, HistoryRow, PolicyChange, Tally};
pub use meta::Meta;
pub use nostr::{
    Deletion, EventTimes, Merged, NutzapChanges, NutzapRow, NutzapState, OutboxEvent, OutboxView,
    PublishRound, QueueRound, QueuedEvent, RelayRefusal, RemoteBalance, RemoteProofState,
    SeenTokenEvent, TokenEventRow,
};
#[cfg(feature = "testing")]
pub use nostr::{HeldProof, RemoteProof};
pub use operations::OperationRow;
pub use payments::Admission;
pub use proofs::Balance;
pub use select_inputs::Selection;
pub use stale_file::STALE_HOLD;
pub use tokens::TokenRow;
pub use unfinished::Unfinished;

/// Handle to the open wallet file. Clones share the file.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once the store is closed.
    db: Mutex<Option<Arc<Database>>>,
    closing: tokio::sync::Mutex<()>,
    /// The copy that was due at opening; taken when it is made.
    due_copy: Mutex<Option<copies::DueCopy>>,
    clock: fn() -> u64,
    /// Number of the last commit begun, durable or not. Raised under the writer's lock.
    written: AtomicU64,
    /// The highest commit number that is known to be durable.
    safe: AtomicU64,
    durable_commits: AtomicU64,
    /// Number of completed commits, whose changes readers see.
    visible: AtomicU64,
    /// Set when the file failed or is damaged; see [`Store::has_failed`].
    failed: AtomicBool,
    #[cfg(feature = "failpoints")]
    failpoint: OnceLock<Failpoint>,
}

/// Outcome of a transaction's work.
enum TxDecision<T> {
    Commit(T),
    Abort(T),
}

impl Store {
    fn new(db: Database, clock: fn() -> u64, due_copy: Option<copies::DueCopy>) -> Self {
        let inner = Inner {
            db: Mutex::new(Some(Arc::new(db))),
            closing: tokio::sync::Mutex::new(()),
            due_copy: Mutex::new(due_copy),
            clock,
            written: AtomicU64::new(0),
            safe: AtomicU64::new(0),
            durable_commits: AtomicU64::new(0),
            visible: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            #[cfg(feature = "failpoints")]
            failpoint: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes all earlier commits durable; does nothing if they already are.
    ///
    /// # Errors
    /// If the file cannot be written or synced: earlier commits may then be lost in a power cut.
    pub async fn barrier(&self) -> Result<(), StoreError> {
        self.run_blocking(|inner| {
            let db = inner.db()?;
            let tx = db.begin_write()?;
            if inner.safe.load(Ordering::Acquire) == inner.written.load(Ordering::Acquire) {
                return Ok(());
            }
            inner.commit(tx, Durability::Immediate)
        })
        .await
    }

    /// Number of durable commits since the file was opened.
    #[cfg(feature = "testing")]
    pub fn durable_commits(&self) -> u64 {
        self.inner.durable_commits.load(Ordering::Relaxed)
    }

    /// Returns whether a read, write or sync failed, or the file turned out to be damaged. Commits
    /// that were acknowledged as durable are in the file; only reopening it helps.
    pub fn has_failed(&self) -> bool {
        self.inner.failed.load(Ordering::Acquire)
    }

    /// Closes the file once running work has finished. Later calls fail with
    /// [`StoreError::Stopping`].
    pub async fn close(&self) {
        let _whoever_comes_second_waits = self.inner.closing.lock().await;
        let _sees_the_file_too =
            self.inner.due_copy.lock().unwrap_or_else(PoisonError::into_inner).take();
        let db = self.inner.db.lock().unwrap_or_else(PoisonError::into_inner).take();
        while db.as_ref().is_some_and(|db| Arc::strong_count(db) > 1) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Returns the current time in Unix seconds, from the clock given at open.
    fn now(&self) -> u64 {
        (self.inner.clock)()
    }

    /// Runs redb work on the blocking pool, to its end even if the caller is dropped.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let done = match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => {
                Err(StoreError::Damaged("reading it made the database panic".to_owned()))
            }
            Err(_) => Err(StoreError::Stopping),
        };
        if matches!(done, Err(StoreError::Io(_) | StoreError::Redb(_) | StoreError::Damaged(_))) {
            self.inner.failed.store(true, Ordering::Release);
        }
        #[cfg(feature = "failpoints")]
        if let Some(failpoint) = self.inner.failpoint.get().filter(|failpoint| failpoint.is_hit()) {
            self.close().await;
            failpoint.hang().await;
        }
        done
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_blocking(|inner| work(&inner.db()?.begin_read()?)).await
    }

    async fn transact<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&WriteTransaction, &Inner) -> Result<TxDecision<T>, StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.run_blocking(move |inner| {
            let db = inner.db()?;
            let tx = db.begin_write()?;
            match work(&tx, inner)? {
                TxDecision::Abort(value) => Ok(value),
                TxDecision::Commit(value) => inner.commit(tx, durability).map(|()| value),
            }
        })
        .await
    }

    /// Commits in order, without a sync.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Durability::None, |tx, _| work(tx).map(TxDecision::Commit)).await
    }

    /// Commits durably, in two phases.
    async fn write_durable<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Durability::Immediate, |tx, _| work(tx).map(TxDecision::Commit)).await
    }
}

impl Inner {
    fn db(&self) -> Result<Arc<Database>, StoreError> {
        #[cfg(feature = "failpoints")]
        if self.failpoint.get().is_some_and(Failpoint::is_hit) {
            return Err(StoreError::Stopping);
        }
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        db.as_ref().map(Arc::clone).ok_or(StoreError::Stopping)
    }

    fn commit(&self, mut tx: WriteTransaction, durability: Durability) -> Result<(), StoreError> {
        #[cfg(feature = "failpoints")]
        let durability = match self.failpoint.get().map(Failpoint::count) {
            Some(Hit::Durable) => Durability::Immediate,
            _ => durability,
        };
        let durable = matches!(durability, Durability::Immediate);
        tx.set_durability(durability)?;
        tx.set_two_phase_commit(durable);
        // The writer's lock is held until the commit returns, so this number is this transaction's.
        let number = self.written.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        tx.commit()?;
        // Raised after the commit: whoever reads this number also sees the changes.
        self.visible.fetch_add(1, Ordering::AcqRel);
        if durable {
            self.safe.fetch_max(number, Ordering::AcqRel);
            self.durable_commits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
