//! The last three verified copies of the file, `wallet.redb.copy-1` (newest) to `-3`, and their
//! restore.
//!
//! A copy holds the wallet as it was when opened and verified. It is made in the background, row by
//! row, from a read transaction that was opened with the wallet, and is renamed to its final name
//! only after it is synced and verified. A new copy replaces the oldest of three. Never deletes the
//! wallet's file: only a restore renames a damaged one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::error::StoreError;
use super::meta::{self, Meta};
use super::open::{self, sync_folder};
use super::tables::{self, META};
use super::verify_file::{self, FileSummary};
use super::{Store, row};
const COPIES: u32 = 3;
/// Minimum time between two copies, in seconds.
const APART_SECONDS: u64 = 3_600;

/// Returns `path` with `end` appended to the file name.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(end);
    path.with_file_name(name)
}

fn place(path: &Path, number: u32) -> PathBuf {
    beside(path, &format!(".copy-{number}"))
}

fn draft(path: &Path) -> PathBuf {
    beside(path, ".copy-new")
}

/// A copy to make, of the wallet as it was when opened.
pub(super) struct DueCopy {
    path: PathBuf,
    tx: ReadTransaction,
    at: u64,
    summary: FileSummary,
}

/// Returns the copy to make: if no copy exists, or if the newest is an hour old and the content has
/// changed.
pub(super) fn due(
    path: &Path,
    db: &Database,
    summary: FileSummary,
    at: u64,
) -> Result<Option<DueCopy>, StoreError> {
    if summary.content_hash.is_none() {
        return Ok(None);
    }
    let last = verify_file::read_meta(&place(path, 1)).ok().and_then(|meta| meta.copied);
    let waits = last.is_some_and(|(when, content_hash)| {
        summary.content_hash.as_ref() == Some(&content_hash)
            || (when <= at && at.saturating_sub(when) < APART_SECONDS)
    });
    if waits {
        return Ok(None);
    }
    Ok(Some(DueCopy { path: path.to_path_buf(), tx: db.begin_read()?, at, summary }))
}

impl DueCopy {
    /// Makes the copy; stops once `goes_on` returns `false`.
    fn make(self, goes_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        let Self { path, tx: from, at, summary } = self;
        let draft = draft(&path);
        let db = open::builder().create_file(new(&draft)?)?;
        let mut tx = db.begin_write()?;
        tx.set_two_phase_commit(true);
        tables::copy_all(&from, &tx, goes_on)?;
        drop(from);
        let copied = summary.content_hash.clone().map(|content_hash| (at, content_hash));
        row::put(&tx, META, meta::KEY, &Meta { copied, ..summary.meta })?;
        tx.commit()?;
        drop(db);
        File::open(&draft)?.sync_all()?;
        if verify_file::check_copy(&draft)?.content_hash != summary.content_hash {
            return Err(StoreError::Damaged("the copy differs from the wallet".to_owned()));
        }
        keep_draft(&path)
    }
}

impl Store {
    /// Makes the copy that was due at opening, if any, while readers and writers continue. Stops
    /// early when the store is closed. A failed copy does no harm and is due again at the next
    /// opening.
    ///
    /// # Errors
    /// If the copy cannot be made.
    pub async fn make_due_copy(&self) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.inner);
        open::blocking(move || {
            let Some(due) = inner.due_copy.lock().unwrap_or_else(PoisonError::into_inner).take()
            else {
                return Ok(());
            };
            // Closing the store waits until this handle is dropped.
            let _held = inner.db()?;
            due.make(&|| inner.db().is_ok())
        })
        .await
    }
}

fn new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn write(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut written = new(to)?;
    io::copy(&mut File::open(from)?, &mut written)?;
    Ok(written.sync_all()?)
}

/// Renames the draft to copy 1. The other copies move up, and the oldest of three is replaced.
fn keep_draft(path: &Path) -> Result<(), StoreError> {
    // If a crash left a gap, only the copies below it move.
    let free = (1..=COPIES).find(|number| !place(path, *number).exists()).unwrap_or(COPIES);
    for number in (1..free).rev() {
        fs::rename(place(path, number), place(path, number.saturating_add(1)))?;
    }
    fs::rename(draft(path), place(path, 1))?;
    sync_folder(path)
}

/// A verified copy, ready to restore.
#[derive(Clone, Debug)]
pub struct VerifiedCopy {
    /// The copy's path.
    pub path: PathBuf,
    /// The wallet's metadata when the copy was made.
    pub meta: Meta,
}

/// Finds the newest copy of the file at `path` that passes verification, of the wallet `wallet_id`
/// if given.
///
/// # Errors
/// None: copies that cannot be read are skipped.
pub fn newest(path: &Path, wallet_id: Option<&str>) -> Result<Option<VerifiedCopy>, StoreError> {
    let mut best: Option<VerifiedCopy> = None;
    for at in (1..=COPIES).map(|number| place(path, number)).filter(|at| at.exists()) {
        let Ok(copy) = verify(&at) else { continue };
        let ours = wallet_id.is_none_or(|id| id == copy.meta.wallet_id);
        if ours && best.as_ref().is_none_or(|best| copy.meta.generation > best.meta.generation) {
            best = Some(copy);
        }
    }
    Ok(best)
}

/// Verifies one file as a copy.
///
/// # Errors
/// See [`super::Store::open_known`].
pub fn verify(path: &Path) -> Result<VerifiedCopy, StoreError> {
    super::open::check_file(path)?;
    let summary = verify_file::check_copy(path)?;
    Ok(VerifiedCopy { path: path.to_path_buf(), meta: summary.meta })
}

/// Returns whether a copy of the file at `path` exists, valid or not.
pub fn any(path: &Path) -> bool {
    (1..=COPIES).any(|number| place(path, number).exists())
}

/// Renames a damaged file to `<name>.damaged-<now>` and returns the new path; `None` if there is no
/// file.
///
/// # Errors
/// If it cannot be renamed, or the rename cannot be synced.
pub fn set_aside(path: &Path, now: u64) -> Result<Option<PathBuf>, StoreError> {
    if !path.try_exists()? {
        return Ok(None);
    }
    let mut aside = beside(path, &format!(".damaged-{now}"));
    let mut more = 1_u32;
    while aside.try_exists()? {
        more = more.saturating_add(1);
        aside = beside(path, &format!(".damaged-{now}-{more}"));
    }
    fs::rename(path, &aside)?;
    sync_folder(path)?;
    Ok(Some(aside))
}

/// Restores a copy to `path`, where no file may exist. The copy is kept.
///
/// # Errors
/// If a file exists at `path`, the copy is damaged, or the file cannot be written; `path` is then
/// unchanged or holds the whole copy.
pub fn put_back(copy: &VerifiedCopy, path: &Path) -> Result<(), StoreError> {
    let new = beside(path, ".put-back");
    write(&copy.path, &new)?;
    verify_file::check_copy(&new)?;
    if path.try_exists()? {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    fs::rename(&new, path)?;
    sync_folder(path)
}
