//! A trial of a wallet file: opened, repaired and checked whole, with every write kept in memory.
//!
//! Never changes the file. redb checks its pages only when it is asked to, and repairs what it opens in place; so a file that is
//! in doubt is opened here first. The trial holds redb's lock while it lasts.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend, TableHandle};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::lower::Lower;
use super::meta::Meta;
use super::tables::{KEYSET_COUNTERS, META, SUMS};
use super::{meta, open};

/// What is held in memory at a time, in bytes.
const BLOCK: u64 = 4096;

/// What a file that passed its trial says of itself.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    /// What the wallet is.
    pub(super) meta: Meta,
    /// Names its money and history: two files with the same mark hold the same. `None`: it holds nothing yet.
    pub(super) mark: Option<String>,
    /// Its newest commit is not the one that its header says: it is to be opened [veiled](Lower::over).
    pub(super) veiled: bool,
}

/// Opens the file in memory and checks every page of it. `beside` runs on a good file while it is locked, and sees it as it lies there.
pub(super) fn check<T>(path: &Path, beside: impl FnOnce(&Passed) -> T) -> Result<(Passed, T), StoreError> {
    // A lock takes a handle that could write; nothing is written through it.
    run(File::options().read(true).write(true).open(path)?, true, beside)
}

/// The same for a copy, which nobody has open and which may lie where nothing can be written.
pub(super) fn check_copy(path: &Path) -> Result<Passed, StoreError> {
    run(File::open(path)?, false, |_| ()).map(|(passed, ())| passed)
}

fn run<T>(file: File, locks: bool, beside: impl FnOnce(&Passed) -> T) -> Result<(Passed, T), StoreError> {
    let veiled = Lower::over(file.try_clone()?, false)?.newer_is_behind()?;
    if veiled {
        // The commit that the header names must be whole: only then the other one is newer by more than a damaged number.
        one(file.try_clone()?, locks, false, |_| ())?;
    }
    one(file, locks, veiled, beside)
}

fn one<T>(file: File, locks: bool, veiled: bool, beside: impl FnOnce(&Passed) -> T) -> Result<(Passed, T), StoreError> {
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let mut db = open::builder().create_with_backend(Trial::over(Lower::over(file, veiled)?, locks)?)?;
        if !db.check_integrity()? {
            return Err(StoreError::Damaged("pages of it are not what was written".to_owned()));
        }
        let passed = Passed { veiled, ..read(&db)? };
        let done = beside(&passed);
        Ok((passed, done))
    }));
    tried.unwrap_or_else(|_| Err(StoreError::Damaged("checking it made the database panic".to_owned())))
}

/// What it says of itself. A file without our rows is not ours; one of an older program may lack tables.
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
    Ok(Passed { meta, mark: (rows > 0).then(|| hex::encode(mark.finalize())), veiled: false })
}

/// A file below, what would have been written to it above.
#[derive(Debug)]
struct Trial {
    file: Lower,
    /// The file is a wallet that others may open; a copy is nobody's.
    locks: bool,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    length: u64,
    /// How much of the file still shows through: a file made shorter and longer again is empty there.
    through: u64,
    blocks: HashMap<u64, Vec<u8>>,
}

impl Trial {
    fn over(file: Lower, locks: bool) -> Result<Self, StoreError> {
        let length = file.len()?;
        Ok(Self { file, locks, above: Mutex::new(Above { length, through: length, blocks: HashMap::new() }) })
    }

    fn above(&self) -> MutexGuard<'_, Above> {
        self.above.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blocks that a range touches: number, where in the block, where in the range, how long.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let end = offset.saturating_add(length as u64);
    let first = offset / BLOCK;
    (first..end.div_ceil(BLOCK)).filter_map(move |block| {
        let low = offset.max(block.saturating_mul(BLOCK));
        let high = end.min(block.saturating_add(1).saturating_mul(BLOCK));
        let within = usize::try_from(low.checked_sub(block.saturating_mul(BLOCK))?).ok()?;
        let from = usize::try_from(low.checked_sub(offset)?).ok()?;
        let to = usize::try_from(high.checked_sub(offset)?).ok()?;
        (from < to).then_some((block, within, from..to))
    })
}

impl Above {
    fn below(&self, file: &Lower, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.fill(0);
        let shown = self.through.saturating_sub(offset).min(out.len() as u64);
        match out.get_mut(..usize::try_from(shown).unwrap_or(0)) {
            Some(part) if !part.is_empty() => file.read(offset, part),
            _ => Ok(()),
        }
    }
}

impl StorageBackend for Trial {
    fn len(&self) -> io::Result<u64> {
        Ok(self.above().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let above = self.above();
        if offset.saturating_add(out.len() as u64) > above.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        above.below(&self.file, offset, out)?;
        for (block, within, range) in parts(offset, out.len()) {
            if let (Some(bytes), Some(to)) = (above.blocks.get(&block), out.get_mut(range)) {
                let from = bytes.get(within..within.saturating_add(to.len())).unwrap_or_default();
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut above = self.above();
        above.through = above.through.min(length);
        above.length = length;
        above.blocks.retain(|block, _| block.saturating_mul(BLOCK) < length);
        if let Some(bytes) = above.blocks.get_mut(&(length / BLOCK)) {
            bytes.iter_mut().skip(usize::try_from(length % BLOCK).unwrap_or(0)).for_each(|byte| *byte = 0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut above = self.above();
        above.length = above.length.max(offset.saturating_add(data.len() as u64));
        for (block, within, range) in parts(offset, data.len()) {
            if !above.blocks.contains_key(&block) {
                let mut bytes = vec![0; BLOCK as usize];
                above.below(&self.file, block.saturating_mul(BLOCK), &mut bytes)?;
                above.blocks.insert(block, bytes);
            }
            if let (Some(bytes), Some(from)) = (above.blocks.get_mut(&block), data.get(range)) {
                bytes.iter_mut().skip(within).zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.locks { self.file.try_lock_range(start, end) } else { Err(BackendError::Unsupported) }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.locks { self.file.try_lock_shared_range(start, end) } else { Err(BackendError::Unsupported) }
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.locks { self.file.lock_range(start, end) } else { Err(BackendError::Unsupported) }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.locks { self.file.lock_shared_range(start, end) } else { Err(BackendError::Unsupported) }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.locks { self.file.unlock_range(start, end) } else { Err(BackendError::Unsupported) }
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.locks { self.file.query_lock_range(start, end) } else { Err(BackendError::Unsupported) }
    }
}
