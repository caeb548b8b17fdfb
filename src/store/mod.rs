//! The store: one redb file with the proofs, what is known of mints, and our journal.
//!
//! Never touches the network, never reads a clock of its own, never decides to spend, and never
//! deletes a file.
//! What a mint can be asked for again is committed in order without a sync; the journal's writes
//! are durable two-phase commits, which make all earlier ones durable as well. All redb work runs
//! on the blocking pool.

use std::fmt;
#[cfg(feature = "failpoints")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};

mod archive;
mod cap;
mod choose;
mod commit;
pub mod copies;
mod counters;
mod deposits;
mod error;
mod given_up;
#[cfg(feature = "failpoints")]
mod halt;
mod history;
mod ledger;
mod lower;
mod meta;
mod mints;
mod moves;
mod nostr;
mod open;
mod pack;
mod payments;
mod proofs;
mod receives;
mod record;
mod records;
mod selection;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;
mod trial;
mod unchecked;
mod unfinished;

pub use cap::Capped;
pub use choose::Need;
pub use commit::{Change, OperationRow};
pub use error::StoreError;
pub use given_up::OpenRecord;
#[cfg(feature = "failpoints")]
pub use halt::Halt;
#[cfg(feature = "failpoints")]
use halt::Last;
pub use history::{Cursor, HistoryQuery, HistoryRow, PolicyChange, Tally};
pub use meta::Meta;
pub use nostr::{
    Absorbed, Deletion, ForeignBalance, ForeignState, MirrorView, Mirrored, NutzapRow, NutzapState,
    Nutzaps, Outgoing, Published, Queued, Refusal, Seen, Times, TokenEventRow,
};
#[cfg(feature = "testing")]
pub use nostr::{Foreign, HeldCoin};
pub use payments::Admission;
pub use proofs::Balance;
pub use selection::Chosen;
pub use tokens::TokenRow;
pub use unchecked::UNCHECKED;
pub use unfinished::Unfinished;

/// The open wallet file. A clone is the same file.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once it is shut.
    db: Mutex<Option<Arc<Database>>>,
    letting_go: tokio::sync::Mutex<()>,
    /// Taken when it is made.
    due_copy: Mutex<Option<copies::Due>>,
    clock: fn() -> u64,
    /// Commits so far, of both kinds; taken under the writer's lock.
    written: AtomicU64,
    /// The value of `written` that is known to be durable.
    safe: AtomicU64,
    durable_commits: AtomicU64,
    /// Commits whose changes can be read.
    visible: AtomicU64,
    /// The file failed or is damaged: nothing more is written through this handle.
    failed: AtomicBool,
    #[cfg(feature = "failpoints")]
    halt: OnceLock<Halt>,
}

/// What a transaction comes to.
enum Verdict<T> {
    /// Commit it.
    Keep(T),
    /// Leave the file as it was.
    Leave(T),
}

impl Store {
    fn new(db: Database, clock: fn() -> u64, due_copy: Option<copies::Due>) -> Self {
        let inner = Inner {
            db: Mutex::new(Some(Arc::new(db))),
            letting_go: tokio::sync::Mutex::new(()),
            due_copy: Mutex::new(due_copy),
            clock,
            written: AtomicU64::new(0),
            safe: AtomicU64::new(0),
            durable_commits: AtomicU64::new(0),
            visible: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            #[cfg(feature = "failpoints")]
            halt: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes everything written so far durable. Costs nothing when all of it is.
    ///
    /// # Errors
    /// When the file cannot be written or synced: what was written before may be lost in a power
    /// cut.
    pub async fn barrier(&self) -> Result<(), StoreError> {
        self.off(|inner| {
            let db = inner.db()?;
            let tx = db.begin_write()?;
            if inner.safe.load(Ordering::Acquire) == inner.written.load(Ordering::Acquire) {
                return Ok(());
            }
            inner.commit(tx, Durability::Immediate)
        })
        .await
    }

    /// How many durable commits were made since the file was opened.
    #[cfg(feature = "testing")]
    pub fn durable_commits(&self) -> u64 {
        self.inner.durable_commits.load(Ordering::Relaxed)
    }

    /// The file refused a write, a sync or a read, or turned out to be damaged. What was
    /// acknowledged is in the file; what was not is gone. Only opening it again helps.
    pub fn has_failed(&self) -> bool {
        self.inner.failed.load(Ordering::Acquire)
    }

    /// Lets the file go, once what is being done in it is done; every later call fails with
    /// [`StoreError::Stopping`].
    pub async fn shut(&self) {
        let _whoever_comes_second_waits = self.inner.letting_go.lock().await;
        let _sees_the_file_too =
            self.inner.due_copy.lock().unwrap_or_else(PoisonError::into_inner).take();
        let db = self.inner.db.lock().unwrap_or_else(PoisonError::into_inner).take();
        while db.as_ref().is_some_and(|db| Arc::strong_count(db) > 1) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Now, in Unix seconds, by the clock given at open.
    fn now(&self) -> u64 {
        (self.inner.clock)()
    }

    /// The one place where redb work leaves the async threads. Runs to its end even when the caller
    /// is gone.
    async fn off<T: Send + 'static>(
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
        if let Some(halt) = self.inner.halt.get().filter(|halt| halt.is_due()) {
            self.shut().await;
            halt.stand_still().await;
        }
        done
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.off(|inner| work(&inner.db()?.begin_read()?)).await
    }

    async fn transact<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&WriteTransaction, &Inner) -> Result<Verdict<T>, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.off(move |inner| {
            let db = inner.db()?;
            let tx = db.begin_write()?;
            match work(&tx, inner)? {
                Verdict::Leave(value) => Ok(value),
                Verdict::Keep(value) => inner.commit(tx, durability).map(|()| value),
            }
        })
        .await
    }

    /// In order, without a sync.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Durability::None, |tx, _| work(tx).map(Verdict::Keep)).await
    }

    /// As one durable two-phase commit.
    async fn write_durable<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Durability::Immediate, |tx, _| work(tx).map(Verdict::Keep)).await
    }
}

impl Inner {
    fn db(&self) -> Result<Arc<Database>, StoreError> {
        #[cfg(feature = "failpoints")]
        if self.halt.get().is_some_and(Halt::is_due) {
            return Err(StoreError::Stopping);
        }
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        db.as_ref().map(Arc::clone).ok_or(StoreError::Stopping)
    }

    fn commit(&self, mut tx: WriteTransaction, durability: Durability) -> Result<(), StoreError> {
        #[cfg(feature = "failpoints")]
        let durability = match self.halt.get().map(Halt::count) {
            Some(Last::Durable) => Durability::Immediate,
            _ => durability,
        };
        let durable = matches!(durability, Durability::Immediate);
        tx.set_durability(durability)?;
        tx.set_two_phase_commit(durable);
        // The writer's lock is held until the commit returns, so the number is this transaction's
        // own.
        let number = self.written.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        tx.commit()?;
        // Counted afterwards: who has read this number reads what the commit has changed.
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
