//! Small files that only their owner may write, read with a check of owner and mode.
//!
//! Files are created and replaced as a whole, so a reader never sees a part. Never follows a
//! symbolic link, and never deletes a file of the owner's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rand::Rng as _;

/// Maximum length of a file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The access of others that a file's mode may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Only the owner may write; others may read.
    OwnerWrites,
    /// Only the owner may read or write.
    OwnerOnly,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("there is no such file")]
    Missing,
    #[error("it is not a plain file")]
    NotAFile,
    /// The file belongs to another user (root excepted).
    #[error("it belongs to another user")]
    NotOurs,
    #[error("others may {0} it; its mode must be 0600")]
    Mode(&'static str),
    /// The file is longer than [`MAX_FILE`].
    #[error("it is larger than 1 MiB")]
    TooLong,
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("it cannot be read or written: {}", .0.kind())]
    Io(#[from] io::Error),
}

/// Reads a file after checking the type, owner and mode of the opened file.
pub(super) fn read(path: &Path, access: Access) -> Result<String, FileError> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FileError::Missing),
        Err(error) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
            let _ = error;
            return Err(FileError::NotAFile);
        }
        Err(error) => return Err(error.into()),
    };
    check(&file, access)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_FILE) {
        return Err(FileError::TooLong);
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

fn check(file: &File, access: Access) -> Result<(), FileError> {
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(FileError::NotAFile);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if found.uid() != rustix::process::geteuid().as_raw() && found.uid() != 0 {
            return Err(FileError::NotOurs);
        }
        if found.mode() & 0o022 != 0 {
            return Err(FileError::Mode("write"));
        }
        if access == Access::OwnerOnly && found.mode() & 0o077 != 0 {
            return Err(FileError::Mode("read"));
        }
    }
    #[cfg(not(unix))]
    let _ = access;
    Ok(())
}

/// Creates a file with mode 0600 unless it exists. Durable on return.
pub(super) fn create(path: &Path, text: &str) -> io::Result<()> {
    let temporary = write_beside(path, text)?;
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no hard links. Without them a crash may leave a partial file,
        // which its readers reject.
        Err(_) => write_new(path, text).and_then(|()| sync_folder(path)),
    }
}

/// Replaces a file atomically, with mode 0600. Durable on return.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = write_beside(path, text)?;
    let renamed = fs::rename(&temporary, path);
    if renamed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    renamed.and_then(|()| sync_folder(path))
}

fn write_beside(path: &Path, text: &str) -> io::Result<std::path::PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let temporary =
        path.with_file_name(format!(".{name}.{:016x}.tmp", rand::rng().random::<u64>()));
    let written = write_new(&temporary, text);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map(|()| temporary)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_a_plain_file_of_ours_is_read() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        assert!(matches!(read(&path, Access::OwnerOnly), Err(FileError::Missing)));
        create(&path, "one")?;
        create(&path, "two")?;
        assert_eq!(read(&path, Access::OwnerOnly)?, "one");
        replace(&path, "three")?;
        assert_eq!(read(&path, Access::OwnerOnly)?, "three");
        for (mode, writes, only) in [
            (0o644, true, false),
            (0o640, true, false),
            (0o660, false, false),
            (0o602, false, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            assert_eq!(read(&path, Access::OwnerWrites).is_ok(), writes, "{mode:o}");
            assert_eq!(read(&path, Access::OwnerOnly).is_ok(), only, "{mode:o}");
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link)?;
        assert!(matches!(read(&link, Access::OwnerWrites), Err(FileError::NotAFile)));
        assert!(matches!(read(folder.path(), Access::OwnerWrites), Err(FileError::NotAFile)));
        let left: Vec<_> = fs::read_dir(folder.path())?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        assert!(left.iter().all(|name| !name.contains(".tmp")), "{left:?}");
        Ok(())
    }
}
