//! The last three verified copies of the file, `wallet.redb.copy-1` (the newest) to `-3`, and putting one back.
//!
//! Made when a wallet is opened, of a file that has passed its trial and that nobody can change meanwhile. A copy takes its name only
//! after it was synced and has passed a trial of its own; names change by rename alone. Never deletes a file: a damaged wallet is
//! renamed, and only by a restore.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::meta::Meta;
use super::open::sync_folder;
use super::trial::{self, Passed};

/// How many copies are kept.
const KEPT: u32 = 3;
/// The shortest time between two copies, in seconds.
const APART_SECONDS: u64 = 3_600;

/// The file beside `path` whose name is longer by `end`.
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

/// It is time for a copy: there is none, or an hour has passed and the money has changed.
pub(super) fn is_due(path: &Path, passed: &Passed, now: u64) -> bool {
    let Some(mark) = &passed.mark else { return false };
    let copied = &passed.meta.copied;
    let changed = copied.as_ref().is_none_or(|(_, before)| before != mark);
    let waited = copied.as_ref().is_none_or(|(at, _)| now < *at || now.saturating_sub(*at) >= APART_SECONDS);
    !place(path, 1).exists() || (changed && waited)
}

/// Writes the file's bytes to a draft beside it and syncs them. The caller holds the file's lock.
pub(super) fn write_draft(path: &Path) -> Result<(), StoreError> {
    write(path, &draft(path))
}

fn write(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(to)?;
    io::copy(&mut File::open(from)?, &mut written)?;
    Ok(written.sync_all()?)
}

/// Verifies the draft and gives it the first copy's name; the others move up, the oldest of three is replaced.
pub(super) fn keep_draft(path: &Path) -> Result<(), StoreError> {
    trial::check_copy(&draft(path))?;
    // Where a crash left a gap, only the copies below it move.
    let free = (1..=KEPT).find(|number| !place(path, *number).exists()).unwrap_or(KEPT);
    for number in (1..free).rev() {
        fs::rename(place(path, number), place(path, number.saturating_add(1)))?;
    }
    fs::rename(draft(path), place(path, 1))?;
    sync_folder(path)
}

/// A copy that can be put back.
#[derive(Clone, Debug)]
pub struct GoodCopy {
    /// Where it is.
    pub path: PathBuf,
    /// What the wallet was when it was made.
    pub meta: Meta,
}

/// The newest copy of the wallet file at `path` that passes its trial, of this wallet where `wallet_id` is given.
///
/// # Errors
/// When none can be read for another reason than damage.
pub fn newest(path: &Path, wallet_id: Option<&str>) -> Result<Option<GoodCopy>, StoreError> {
    let mut best: Option<GoodCopy> = None;
    for at in (1..=KEPT).map(|number| place(path, number)).filter(|at| at.exists()) {
        let Ok(copy) = verify(&at) else { continue };
        let ours = wallet_id.is_none_or(|id| id == copy.meta.wallet_id);
        if ours && best.as_ref().is_none_or(|best| copy.meta.generation > best.meta.generation) {
            best = Some(copy);
        }
    }
    Ok(best)
}

/// Checks one file as a copy.
///
/// # Errors
/// As [`super::Store::open`].
pub fn verify(path: &Path) -> Result<GoodCopy, StoreError> {
    super::open::check_file(path)?;
    let passed = trial::check_copy(path)?;
    Ok(GoodCopy { path: path.to_path_buf(), meta: passed.meta })
}

/// At least one copy of the file at `path` is there, good or not.
pub fn any(path: &Path) -> bool {
    (1..=KEPT).any(|number| place(path, number).exists())
}

/// Takes a damaged file out of the way: renames it to `<name>.damaged-<now>`. Returns its new place; `None` when there is no file.
///
/// # Errors
/// When it cannot be renamed: nothing has changed then.
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

/// Puts a copy in the place of a wallet file that is gone. The copy stays.
///
/// # Errors
/// When the file is there, or cannot be written; the place is empty or holds the whole copy.
pub fn put_back(copy: &GoodCopy, path: &Path) -> Result<(), StoreError> {
    let new = beside(path, ".put-back");
    write(&copy.path, &new)?;
    trial::check_copy(&new)?;
    if path.try_exists()? {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    fs::rename(&new, path)?;
    sync_folder(path)
}
