//! The socket of a folder: its path, and the check of the process at its other end.
//!
//! On Linux, a path that is too long for a socket is reached through the folder's descriptor.
//! Anything at the socket's path that is not this user's socket is refused and left alone. Each
//! side checks that the other is a process of the same user.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use tokio::net::{UnixListener, UnixStream};

use crate::config::Home;

/// The length of a socket's path that every system allows, in bytes.
const PATH_MAX: usize = 100;

/// Reason why the socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error("no process listens")]
    NotRunning,
    #[error("this is not the wallet's socket, move it away: {}", .0.display())]
    Foreign(PathBuf),
    #[error("the folder's path is too long for a socket in it; choose a shorter one: {}", .0.display())]
    TooLong(PathBuf),
    #[error("a process of another user is at the wallet's socket")]
    OtherUser,
    #[error("the wallet's socket cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// A path to the socket that is short enough; it is valid as long as this value lives.
struct ShortPath {
    path: PathBuf,
    _folder: Option<fs::File>,
}

impl ShortPath {
    fn of(home: &Home) -> Result<Self, SocketError> {
        let path = home.socket();
        if path.as_os_str().len() <= PATH_MAX {
            return Ok(Self { path, _folder: None });
        }
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd as _;
            let folder = fs::File::open(home.path())?;
            let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
            if let (true, Some(name)) = (short.exists(), path.file_name()) {
                return Ok(Self { path: short.join(name), _folder: Some(folder) });
            }
        }
        Err(SocketError::TooLong(home.path().to_path_buf()))
    }
}

/// Returns whether this user's socket is there. Anything else at its path is an error.
fn is_there(home: &Home) -> Result<bool, SocketError> {
    match fs::symlink_metadata(home.socket()) {
        Ok(found) if found.file_type().is_socket() && found.uid() == our_uid() => Ok(true),
        Ok(_) => Err(SocketError::Foreign(home.socket())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn our_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Listens on the socket; first removes one that an earlier daemon left. Only for the holder of the
/// folder's lock.
pub(super) fn listen(home: &Home) -> Result<UnixListener, SocketError> {
    let short = ShortPath::of(home)?;
    if is_there(home)? {
        fs::remove_file(home.socket())?;
    }
    let listener = UnixListener::bind(&short.path)?;
    fs::set_permissions(home.socket(), fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes the socket. Only for the holder of the folder's lock that listened here.
pub(super) fn remove(home: &Home) {
    if matches!(is_there(home), Ok(true)) {
        let _gone = fs::remove_file(home.socket());
    }
}

/// Returns the socket's device and inode. `None`: there is no socket.
pub(super) fn file_id(home: &Home) -> Option<(u64, u64)> {
    let found =
        fs::symlink_metadata(home.socket()).ok().filter(|found| found.file_type().is_socket())?;
    Some((found.dev(), found.ino()))
}

pub(super) async fn connect(home: &Home) -> Result<UnixStream, SocketError> {
    if !is_there(home)? {
        return Err(SocketError::NotRunning);
    }
    let short = ShortPath::of(home)?;
    let stream = match UnixStream::connect(&short.path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            ) =>
        {
            return Err(SocketError::NotRunning);
        }
        Err(error) => return Err(error.into()),
    };
    if is_same_user(&stream) { Ok(stream) } else { Err(SocketError::OtherUser) }
}

/// Returns whether the process at the other end belongs to this user.
pub(super) fn is_same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == our_uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::Environment;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn home(path: &std::path::Path) -> Result<Home, Box<dyn std::error::Error>> {
        Ok(Home::resolve(Some(path), &Environment::default())?)
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_gives_way_and_anything_else_stays() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = home(folder.path())?;
        drop(listen(&home)?);
        assert!(matches!(connect(&home).await, Err(SocketError::NotRunning)), "stale");
        let listener = listen(&home)?;
        assert_eq!(fs::metadata(home.socket())?.permissions().mode() & 0o777, 0o600);
        assert!(connect(&home).await.is_ok());
        drop(listener);
        remove(&home);
        fs::write(home.socket(), "mine")?;
        assert!(matches!(listen(&home), Err(SocketError::Foreign(_))));
        assert!(matches!(connect(&home).await, Err(SocketError::Foreign(_))));
        remove(&home);
        assert_eq!(fs::read_to_string(home.socket())?, "mine");
        Ok(())
    }

    #[tokio::test]
    async fn a_link_to_a_socket_is_no_socket() -> Outcome {
        let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let (home, other) = (home(folder.path())?, home(other.path())?);
        let _listener = listen(&other)?;
        symlink(other.socket(), home.socket())?;
        assert!(matches!(connect(&home).await, Err(SocketError::Foreign(_))));
        Ok(())
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_folder_may_have_a_long_path() -> Outcome {
        let folder = tempfile::tempdir()?;
        let deep = folder.path().join("a".repeat(120)).join("b".repeat(120));
        fs::create_dir_all(&deep)?;
        let home = home(&deep)?;
        let _listener = listen(&home)?;
        assert!(connect(&home).await.is_ok());
        Ok(())
    }
}
