//! Verifies a wallet file, or a copy, through an overlay that keeps every write in memory until the
//! file has passed.
//!
//! redb checks pages only on request and repairs a file in place, hence the overlay. If the file
//! passes, the buffered writes go to it in order and the same handle is used; otherwise the file is
//! unchanged. redb's lock is held throughout.

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

use super::commit_slot::SlotBackend;
use super::error::StoreError;
use super::meta::Meta;
use super::tables::{KEYSET_COUNTERS, META, SUMS};
use super::{meta, open};
#[derive(Clone, Debug)]
pub(super) struct FileSummary {
    pub(super) meta: Meta,
    /// Hash over table sizes, balances and counters, to tell whether the content has changed.
    /// `None` while all tables are empty.
    pub(super) content_hash: Option<String>,
}

/// A verified file. Nothing has been written to it yet.
pub(super) struct VerifiedFile {
    db: Database,
    overlay_file: Arc<OverlayFile>,
    pub(super) summary: FileSummary,
}

impl VerifiedFile {
    /// Applies the buffered writes to the file and returns the database.
    pub(super) fn into_database(self) -> Result<Database, StoreError> {
        self.overlay_file.write_through()?;
        Ok(self.db)
    }
}

/// Opens the file through an overlay and checks every page.
pub(super) fn open(path: &Path) -> Result<VerifiedFile, StoreError> {
    verify(File::options().read(true).write(true).open(path)?, true)
}

/// Verifies a copy, which no process has open and which may be read-only.
pub(super) fn check_copy(path: &Path) -> Result<FileSummary, StoreError> {
    verify(File::open(path)?, false).map(|verified| verified.summary)
}

/// Reads a copy's metadata without checking its pages.
pub(super) fn read_meta(path: &Path) -> Result<Meta, StoreError> {
    let file = File::open(path)?;
    guarded(|| {
        let (_, _, db) = begin(file, false, false)?;
        meta::get(&db.begin_read()?)
    })
}

fn verify(file: File, locks: bool) -> Result<VerifiedFile, StoreError> {
    let hides_two_phases = SlotBackend::over(file.try_clone()?, false)?.other_slot_is_newer()?;
    if hides_two_phases {
        // First verify the commit that the header selects. If it is incomplete, the other slot's
        // higher number may be damaged too and proves nothing.
        verify_slot(file.try_clone()?, locks, false)?;
    }
    verify_slot(file, locks, hides_two_phases)
}

fn verify_slot(
    file: File,
    locks: bool,
    hides_two_phases: bool,
) -> Result<VerifiedFile, StoreError> {
    guarded(|| {
        let (overlay_file, repaired, mut db) = begin(file, locks, hides_two_phases)?;
        // A repair has already compared all pages with their checksums.
        if !repaired && !db.check_integrity()? {
            return Err(StoreError::Damaged("some of its pages are corrupt".to_owned()));
        }
        let summary = read(&db)?;
        Ok(VerifiedFile { db, overlay_file, summary })
    })
}

/// Opens the file through an overlay. The flag tells whether it was repaired, as after a kill.
fn begin(
    file: File,
    locks: bool,
    hides_two_phases: bool,
) -> Result<(Arc<OverlayFile>, bool, Database), StoreError> {
    let overlay_file =
        Arc::new(OverlayFile::over(SlotBackend::over(file, hides_two_phases)?, locks)?);
    let repaired = Arc::new(AtomicBool::new(false));
    let is_repaired = Arc::clone(&repaired);
    let mut builder = open::builder();
    builder.set_repair_callback(move |_| is_repaired.store(true, Ordering::Relaxed));
    let db = builder.create_with_backend(OverlayBackend(Arc::clone(&overlay_file)))?;
    Ok((overlay_file, repaired.load(Ordering::Relaxed), db))
}

/// Turns a panic of redb on a damaged file into an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(StoreError::Damaged("checking it made the database panic".to_owned()))
    })
}

/// Reads the summary. A file without our metadata is no wallet; an older file may lack tables.
fn read(db: &Database) -> Result<FileSummary, StoreError> {
    let tx = db.begin_read()?;
    let names: Vec<String> = tx.list_tables()?.map(|table| table.name().to_owned()).collect();
    if !names.iter().any(|name| name == META.name()) {
        return Err(StoreError::Damaged("it is not a wallet of this program".to_owned()));
    }
    let meta = meta::get(&tx)?;
    let mut content_hash = Sha256::new();
    let mut rows = 0_u64;
    for table in tx.list_tables()?.filter(|table| table.name() != META.name()) {
        let name = table.name().to_owned();
        let length = tx.open_untyped_table(table)?.len()?;
        rows = rows.saturating_add(length);
        content_hash.update(name.as_bytes());
        content_hash.update(length.to_be_bytes());
    }
    if names.iter().any(|name| name == SUMS.name()) {
        for entry in tx.open_table(SUMS)?.iter()? {
            let (key, sum) = entry?;
            content_hash.update(format!("{:?} {:?}", key.value(), sum.value()).as_bytes());
        }
        for entry in tx.open_table(KEYSET_COUNTERS)?.iter()? {
            let (key, next) = entry?;
            content_hash.update(format!("{:?} {}", key.value(), next.value()).as_bytes());
        }
    }
    Ok(FileSummary { meta, content_hash: (rows > 0).then(|| hex::encode(content_hash.finalize())) })
}

/// A file, with the writes that are still buffered.
#[derive(Debug)]
struct OverlayFile {
    file: SlotBackend,
    /// `true` if redb may lock the file: a wallet, not a copy.
    locks: bool,
    /// `true` once verification is over: writes then go to the file.
    is_written_through: AtomicBool,
    overlay: Mutex<Overlay>,
}

#[derive(Debug)]
struct Overlay {
    /// The file's length without the buffered writes, then with them.
    base_length: u64,
    length: u64,
    writes: Vec<PendingWrite>,
}
#[derive(Debug)]
enum PendingWrite {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

/// Returns the part of `bytes` (at `at`) within `out` (at `offset`), and its place in `out`.
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

impl OverlayFile {
    fn over(file: SlotBackend, locks: bool) -> Result<Self, StoreError> {
        let length = file.len()?;
        Ok(Self {
            file,
            locks,
            is_written_through: AtomicBool::new(false),
            overlay: Mutex::new(Overlay { base_length: length, length, writes: Vec::new() }),
        })
    }

    /// Returns the overlay; `None` once it is written through.
    fn overlay(&self) -> Option<MutexGuard<'_, Overlay>> {
        let is_open = !self.is_written_through.load(Ordering::Acquire);
        is_open.then(|| self.overlay.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies the buffered writes to the file, in order.
    fn write_through(&self) -> io::Result<()> {
        let Some(mut overlay) = self.overlay() else { return Ok(()) };
        for write in &overlay.writes {
            match write {
                PendingWrite::Write(offset, data) => self.file.write(*offset, data)?,
                PendingWrite::Length(length) => self.file.set_len(*length)?,
                PendingWrite::Sync => self.file.sync_data()?,
            }
        }
        overlay.writes.clear();
        self.is_written_through.store(true, Ordering::Release);
        Ok(())
    }
}

impl Overlay {
    fn read(&self, file: &SlotBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(out.len() as u64) > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.fill(0);
        let shown = self.base_length.saturating_sub(offset).min(out.len() as u64);
        match out.get_mut(..usize::try_from(shown).unwrap_or(0)) {
            Some(part) if !part.is_empty() => file.read(offset, part)?,
            _ => {}
        }
        for write in &self.writes {
            match write {
                PendingWrite::Write(at, bytes) => {
                    if let Some((from, to)) = overlap(*at, bytes, offset, out) {
                        to.copy_from_slice(from);
                    }
                }
                // A file that was shortened and grown again is zero there.
                PendingWrite::Length(length) => {
                    let left = usize::try_from(length.saturating_sub(offset))
                        .unwrap_or(usize::MAX)
                        .min(out.len());
                    out.iter_mut().skip(left).for_each(|byte| *byte = 0);
                }
                PendingWrite::Sync => {}
            }
        }
        Ok(())
    }
}
#[derive(Debug)]
struct OverlayBackend(Arc<OverlayFile>);

impl StorageBackend for OverlayBackend {
    fn len(&self) -> io::Result<u64> {
        match self.0.overlay() {
            Some(overlay) => Ok(overlay.length),
            None => self.0.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.0.overlay() {
            Some(overlay) => overlay.read(&self.0.file, offset, out),
            None => self.0.file.read(offset, out),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let Some(mut overlay) = self.0.overlay() else { return self.0.file.set_len(length) };
        overlay.length = length;
        overlay.writes.push(PendingWrite::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let Some(mut overlay) = self.0.overlay() else { return self.0.file.sync_data() };
        overlay.writes.push(PendingWrite::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Some(mut overlay) = self.0.overlay() else { return self.0.file.write(offset, data) };
        overlay.length = overlay.length.max(offset.saturating_add(data.len() as u64));
        overlay.writes.push(PendingWrite::Write(offset, data.to_vec()));
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
