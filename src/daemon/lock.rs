//! The lock of a folder. Only the process that holds it may open the store.
//!
//! It is the system's lock on an open file, so it always ends with the process. The file stays; its
//! text is only for processes that look for the daemon. A second lock, `daemon.next`, decides which
//! process gets the first one next: while an owner's command holds it, no new daemon starts.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::{Home, HomeError};

/// Maximum length of a note, in bytes.
const NOTE_MAX: u64 = 4096;

/// Reason why the lock cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The lock's path holds something else.
    #[error("this is not the wallet's lock, move it away: {}", .0.display())]
    Foreign(PathBuf),
    /// The system refuses the lock.
    #[error("the folder cannot be locked: {0}")]
    Io(#[from] io::Error),
}

impl LockError {
    /// Returns whether the folder cannot be written, and so neither can the wallet's file.
    pub fn is_folder_fault(&self) -> bool {
        match self {
            Self::Home(_) => true,
            Self::Foreign(_) => false,
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::StorageFull
                    | io::ErrorKind::NotADirectory
            ),
        }
    }
}

/// The text of the lock file. Only its user can read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LockText {
    /// A random token, new for each holder. Whoever knows it can read this user's files.
    pub(super) token: String,
    pub(super) version: String,
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock; creates the folder and the file if they are missing. `None`: another process
    /// has it.
    ///
    /// # Errors
    /// [`LockError`]; nothing is locked.
    pub fn take(home: &Home) -> Result<Option<Self>, LockError> {
        Self::at(home, home.lock())
    }

    /// Takes the lock for a daemon. `None` also if another process gets it next.
    ///
    /// # Errors
    /// As for [`Self::take`].
    pub fn take_for_daemon(home: &Home) -> Result<Option<Self>, LockError> {
        let Some(_next) = Self::take_next(home)? else { return Ok(None) };
        Self::take(home)
    }

    /// Takes the second lock, whose holder gets the lock next. `None`: another process has it.
    ///
    /// # Errors
    /// As for [`Self::take`].
    pub(super) fn take_next(home: &Home) -> Result<Option<Self>, LockError> {
        Self::at(home, home.next_lock())
    }

    fn at(home: &Home, path: PathBuf) -> Result<Option<Self>, LockError> {
        home.ensure()?;
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Writes the note that processes read to find the holder.
    pub(super) fn write_note(&mut self, note: &LockText) -> io::Result<()> {
        let text = serde_json::to_vec(note)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)
    }

    /// Returns whether the folder was not moved and the lock file not replaced.
    pub fn is_in_place(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let same = |there: &std::fs::Metadata, ours: &std::fs::Metadata| {
                there.ino() == ours.ino() && there.dev() == ours.dev()
            };
            match (std::fs::symlink_metadata(&self.path), self.file.metadata()) {
                (Ok(there), Ok(ours)) => same(&there, &ours),
                _ => false,
            }
        }
        #[cfg(not(unix))]
        self.path.exists()
    }
}

/// Reads the note of the current holder, or of the last one.
pub(super) fn read_note(home: &Home) -> Option<LockText> {
    let mut text = String::new();
    open_existing(&home.lock()).ok()?.take(NOTE_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn open(path: &PathBuf) -> Result<File, LockError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = no_symlinks(&mut options).open(path).map_err(|error| foreign(path, error))?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(LockError::Foreign(path.clone())) }
}

fn open_existing(path: &PathBuf) -> io::Result<File> {
    no_symlinks(OpenOptions::new().read(true)).open(path)
}

#[cfg(unix)]
fn no_symlinks(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
}

#[cfg(not(unix))]
fn no_symlinks(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn foreign(path: &PathBuf, error: io::Error) -> LockError {
    let is_plain = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    if is_plain || error.kind() == io::ErrorKind::NotFound {
        error.into()
    } else {
        LockError::Foreign(path.clone())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::config::Environment;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn one_holds_it_until_it_lets_go() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = Home::resolve(Some(folder.path()), &Environment::default())?;
        let held = Lock::take(&home)?.ok_or("not taken")?;
        assert!(Lock::take(&home)?.is_none());
        assert_eq!(std::fs::metadata(home.lock())?.permissions().mode() & 0o777, 0o600);
        drop(held);
        assert!(Lock::take(&home)?.is_some());
        Ok(())
    }

    #[test]
    fn no_daemon_begins_while_another_process_is_next() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = Home::resolve(Some(folder.path()), &Environment::default())?;
        let next = Lock::take_next(&home)?.ok_or("not taken")?;
        assert!(Lock::take_for_daemon(&home)?.is_none() && Lock::take(&home)?.is_some());
        drop(next);
        assert!(Lock::take_for_daemon(&home)?.is_some());
        Ok(())
    }

    #[test]
    fn a_lock_whose_file_was_moved_away_is_known() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = Home::resolve(Some(folder.path()), &Environment::default())?;
        let held = Lock::take(&home)?.ok_or("not taken")?;
        assert!(held.is_in_place());
        std::fs::rename(home.lock(), home.file("elsewhere"))?;
        assert!(!held.is_in_place());
        std::fs::write(home.lock(), "")?;
        assert!(!held.is_in_place());
        Ok(())
    }

    #[test]
    fn what_is_no_lock_is_refused() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = Home::resolve(Some(folder.path()), &Environment::default())?;
        symlink("/dev/null", home.lock())?;
        assert!(matches!(Lock::take(&home), Err(LockError::Foreign(_))));
        std::fs::remove_file(home.lock())?;
        std::fs::create_dir(home.lock())?;
        assert!(matches!(Lock::take(&home), Err(LockError::Foreign(_))));
        Ok(())
    }
}
