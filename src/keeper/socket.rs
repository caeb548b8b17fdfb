//! The socket of a folder: where it lies, who may be at its other end.
//!
//! A path that is longer than the system takes is reached through the folder's own descriptor. What
//! lies in its place and is no socket of ours is refused and left alone. Both sides look who the
//! other is: only processes of the same user speak to each other.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use tokio::net::{UnixListener, UnixStream};

use crate::config::Home;

/// What every system takes as a socket's path, in bytes.
const PATH_MAX: usize = 100;

/// Why there is no socket to speak through.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    /// Nobody listens.
    #[error("nobody listens")]
    Nobody,
    /// Something else lies where the socket belongs.
    #[error("this is not the wallet's socket, move it away: {}", .0.display())]
    Foreign(PathBuf),
    /// The path is too long for this system.
    #[error("the folder's path is too long for a socket in it; choose a shorter one: {}", .0.display())]
    TooLong(PathBuf),
    /// Another user's process is at the other end.
    #[error("a process of another user is at the wallet's socket")]
    Stranger,
    /// The system says no.
    #[error("the wallet's socket cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// A path to the socket that is short enough, good while this lives.
struct Short {
    path: PathBuf,
    _folder: Option<fs::File>,
}

impl Short {
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

/// Whether a socket of ours lies there; what else lies there is an error.
fn lies_there(home: &Home) -> Result<bool, SocketError> {
    match fs::symlink_metadata(home.socket()) {
        Ok(found) if found.file_type().is_socket() && found.uid() == us() => Ok(true),
        Ok(_) => Err(SocketError::Foreign(home.socket())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Listens; takes away a socket that an earlier keeper left. Only for who holds the folder's lock.
pub(super) fn listen(home: &Home) -> Result<UnixListener, SocketError> {
    let short = Short::of(home)?;
    if lies_there(home)? {
        fs::remove_file(home.socket())?;
    }
    let listener = UnixListener::bind(&short.path)?;
    fs::set_permissions(home.socket(), fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes the socket away. Only for who holds the folder's lock and listened here.
pub(super) fn remove(home: &Home) {
    if matches!(lies_there(home), Ok(true)) {
        let _gone = fs::remove_file(home.socket());
    }
}

/// Which socket lies there, by device and number. `None`: none of ours.
pub(super) fn place(home: &Home) -> Option<(u64, u64)> {
    let found =
        fs::symlink_metadata(home.socket()).ok().filter(|found| found.file_type().is_socket())?;
    Some((found.dev(), found.ino()))
}

/// Connects to the keeper.
pub(super) async fn connect(home: &Home) -> Result<UnixStream, SocketError> {
    if !lies_there(home)? {
        return Err(SocketError::Nobody);
    }
    let short = Short::of(home)?;
    let stream = match UnixStream::connect(&short.path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            ) =>
        {
            return Err(SocketError::Nobody);
        }
        Err(error) => return Err(error.into()),
    };
    if is_ours(&stream) { Ok(stream) } else { Err(SocketError::Stranger) }
}

/// The process at the other end is this user's.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == us())
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
        assert!(matches!(connect(&home).await, Err(SocketError::Nobody)), "stale");
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
