//! A trial of a wallet file: opened, repaired and checked whole, with every write kept in memory
//! until it has passed.
//!
//! redb checks its pages only when it is asked to, and repairs what it opens in place; so a file is
//! opened here first. What was to be written to one that passes is written then, in its order, and
//! the same handle goes on; any other file is never changed. The trial holds redb's lock while it
//! lasts, and whoever goes on with the file never lets go of it.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{
    BackendError, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend,
    TableHandle,
};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::lower::Lower;
use super::meta::Meta;
use super::tables::{KEYSET_COUNTERS, META, SUMS};
use super::{meta, open};

/// What a file that passed its trial says of itself.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    /// What the wallet is.
    pub(super) meta: Meta,
    /// Names its money and history: two files with the same mark hold the same. `None`: it holds
    /// nothing yet.
    pub(super) mark: Option<String>,
}

/// A file that passed. Nothing was written to it.
pub(super) struct Tried {
    db: Database,
    trial: Arc<Trial>,
    pub(super) passed: Passed,
}

impl Tried {
    /// The database, to be used: what the trial has kept back is written now.
    pub(super) fn into_use(self) -> Result<Database, StoreError> {
        self.trial.write_through()?;
        Ok(self.db)
    }
}

/// Opens the file in memory and checks every page of it.
pub(super) fn open(path: &Path) -> Result<Tried, StoreError> {
    run(File::options().read(true).write(true).open(path)?, true)
}

/// The same for a copy, which nobody has open and which may lie where nothing can be written.
pub(super) fn check_copy(path: &Path) -> Result<Passed, StoreError> {
    run(File::open(path)?, false).map(|tried| tried.passed)
}

/// What a copy says of itself, its pages unchecked.
pub(super) fn peek(path: &Path) -> Result<Meta, StoreError> {
    let file = File::open(path)?;
    guarded(|| {
        let (_, _, db) = begin(file, false, false)?;
        meta::get(&db.begin_read()?)
    })
}

fn run(file: File, locks: bool) -> Result<Tried, StoreError> {
    let veiled = Lower::over(file.try_clone()?, false)?.newer_is_behind()?;
    if veiled {
        // The commit that the header names must be whole: only then the other one is newer by more
        // than a damaged number.
        one(file.try_clone()?, locks, false)?;
    }
    one(file, locks, veiled)
}

fn one(file: File, locks: bool, veiled: bool) -> Result<Tried, StoreError> {
    guarded(|| {
        let (trial, repaired, mut db) = begin(file, locks, veiled)?;
        // A repair has compared all pages with their checksums already.
        if !repaired && !db.check_integrity()? {
            return Err(StoreError::Damaged("pages of it are not what was written".to_owned()));
        }
        let passed = read(&db)?;
        Ok(Tried { db, trial, passed })
    })
}

/// Opens the file in memory. Whether it had to be repaired, as after a kill.
fn begin(
    file: File,
    locks: bool,
    veiled: bool,
) -> Result<(Arc<Trial>, bool, Database), StoreError> {
    let trial = Arc::new(Trial::over(Lower::over(file, veiled)?, locks)?);
    let repaired = Arc::new(AtomicBool::new(false));
    let is_repaired = Arc::clone(&repaired);
    let mut builder = open::builder();
    builder.set_repair_callback(move |_| is_repaired.store(true, Ordering::Relaxed));
    let db = builder.create_with_backend(Backend(Arc::clone(&trial)))?;
    Ok((trial, repaired.load(Ordering::Relaxed), db))
}

/// redb asserts on some damaged files; the panic becomes an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(StoreError::Damaged("checking it made the database panic".to_owned()))
    })
}

/// What it says of itself. A file without our rows is not ours; one of an older program may lack
/// tables.
fn read(db: &Database) -> Result<Passed, StoreError> {
    let tx = db.begin_read()?;
    let names: Vec<String> = tx.list_tables()?.map(|table| table.name().to_owned()).collect();
    if !names.iter().any(|name| name == META.name()) {
        return Err(StoreError::Damaged("it is not a wallet of this program".to_owned()));
    }
    let meta = meta::get(&tx)?;
    let mut mark = Sha256::new();
    let mut rows = 0_u64;
    for table in tx.list_tables()?.filter(|table| table.name() != META.name()) {
        let name = table.name().to_owned();
        let length = tx.open_untyped_table(table)?.len()?;
        rows = rows.saturating_add(length);
        mark.update(name.as_bytes());
        mark.update(length.to_be_bytes());
    }
    if names.iter().any(|name| name == SUMS.name()) {
        for entry in tx.open_table(SUMS)?.iter()? {
            let (key, sum) = entry?;
            mark.update(format!("{:?} {:?}", key.value(), sum.value()).as_bytes());
        }
        for entry in tx.open_table(KEYSET_COUNTERS)?.iter()? {
            let (key, next) = entry?;
            mark.update(format!("{:?} {}", key.value(), next.value()).as_bytes());
        }
    }
    Ok(Passed { meta, mark: (rows > 0).then(|| hex::encode(mark.finalize())) })
}

/// A file below, what is to be written to it above.
#[derive(Debug)]
struct Trial {
    file: Lower,
    /// The file is a wallet that others may open; a copy is nobody's.
    locks: bool,
    /// The trial is over: everything goes to the file.
    is_over: AtomicBool,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    /// How long the file is, and how long it would be.
    below: u64,
    length: u64,
    steps: Vec<Step>,
}

/// Something done to the file.
#[derive(Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

/// The part of `bytes`, which are at `at`, from `offset` on, and the place for it in `out`.
fn overlap<'a>(
    at: u64,
    bytes: &'a [u8],
    offset: u64,
    out: &'a mut [u8],
) -> Option<(&'a [u8], &'a mut [u8])> {
    let begin = at.max(offset);
    let end = at.checked_add(bytes.len() as u64)?.min(offset.checked_add(out.len() as u64)?);
    let within = |base: u64| {
        Some(
            usize::try_from(begin.checked_sub(base)?).ok()?
                ..usize::try_from(end.checked_sub(base)?).ok()?,
        )
    };
    Some((bytes.get(within(at)?)?, out.get_mut(within(offset)?)?))
}

impl Trial {
    fn over(file: Lower, locks: bool) -> Result<Self, StoreError> {
        let length = file.len()?;
        Ok(Self {
            file,
            locks,
            is_over: AtomicBool::new(false),
            above: Mutex::new(Above { below: length, length, steps: Vec::new() }),
        })
    }

    /// What is above the file, while the trial lasts.
    fn above(&self) -> Option<MutexGuard<'_, Above>> {
        let lasts = !self.is_over.load(Ordering::Acquire);
        lasts.then(|| self.above.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the trial: what was to be done to the file is done, in its order.
    fn write_through(&self) -> io::Result<()> {
        let Some(mut above) = self.above() else { return Ok(()) };
        for step in &above.steps {
            match step {
                Step::Write(offset, data) => self.file.write(*offset, data)?,
                Step::Length(length) => self.file.set_len(*length)?,
                Step::Sync => self.file.sync_data()?,
            }
        }
        above.steps.clear();
        self.is_over.store(true, Ordering::Release);
        Ok(())
    }
}

impl Above {
    fn read(&self, file: &Lower, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(out.len() as u64) > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.fill(0);
        let shown = self.below.saturating_sub(offset).min(out.len() as u64);
        match out.get_mut(..usize::try_from(shown).unwrap_or(0)) {
            Some(part) if !part.is_empty() => file.read(offset, part)?,
            _ => {}
        }
        for step in &self.steps {
            match step {
                Step::Write(at, bytes) => {
                    if let Some((from, to)) = overlap(*at, bytes, offset, out) {
                        to.copy_from_slice(from);
                    }
                }
                // A file made shorter and longer again is empty there.
                Step::Length(length) => {
                    let left = usize::try_from(length.saturating_sub(offset))
                        .unwrap_or(usize::MAX)
                        .min(out.len());
                    out.iter_mut().skip(left).for_each(|byte| *byte = 0);
                }
                Step::Sync => {}
            }
        }
        Ok(())
    }
}

/// The trial as redb holds it.
#[derive(Debug)]
struct Backend(Arc<Trial>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        match self.0.above() {
            Some(above) => Ok(above.length),
            None => self.0.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.0.above() {
            Some(above) => above.read(&self.0.file, offset, out),
            None => self.0.file.read(offset, out),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let Some(mut above) = self.0.above() else { return self.0.file.set_len(length) };
        above.length = length;
        above.steps.push(Step::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let Some(mut above) = self.0.above() else { return self.0.file.sync_data() };
        above.steps.push(Step::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Some(mut above) = self.0.above() else { return self.0.file.write(offset, data) };
        above.length = above.length.max(offset.saturating_add(data.len() as u64));
        above.steps.push(Step::Write(offset, data.to_vec()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.0.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.locks {
            self.0.file.try_lock_range(start, end)
        } else {
            Err(BackendError::Unsupported)
        }
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        if self.0.locks {
            self.0.file.try_lock_shared_range(start, end)
        } else {
            Err(BackendError::Unsupported)
        }
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locks {
            self.0.file.lock_range(start, end)
        } else {
            Err(BackendError::Unsupported)
        }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locks {
            self.0.file.lock_shared_range(start, end)
        } else {
            Err(BackendError::Unsupported)
        }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locks {
            self.0.file.unlock_range(start, end)
        } else {
            Err(BackendError::Unsupported)
        }
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.locks {
            self.0.file.query_lock_range(start, end)
        } else {
            Err(BackendError::Unsupported)
        }
    }
}
