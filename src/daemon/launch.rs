//! Starts a daemon that outlives its starter.
//!
//! ```text
//!  shim --> `nutpurse daemon` --> `nutpurse daemon --detached`: the daemon, whose parent has ended
//!              leaves the client's session, starts the second, ends
//! ```
//! A client that ends its server with all its children does not end the daemon. The daemon inherits
//! no stream, working folder or open file of the client, and only the environment variables on the
//! allow-list in `config::env`.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::Mode;

use crate::config::Home;

const COMMAND: &str = "daemon";
/// Time limit for the first process, which only starts the second.
const FIRST: Duration = Duration::from_secs(5);

/// Returns the path of this program, or of a newer one that has replaced it since the start.
fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(match text.strip_suffix(" (deleted)").map(PathBuf::from) {
        Some(newer) if newer.is_file() => newer,
        _ => path,
    })
}

/// Starts a daemon for this folder; returns once it is detached. It ends at once if another process
/// holds the lock.
pub(super) async fn start(home: &Home, environment: &[(OsString, OsString)]) -> io::Result<()> {
    let mut command = tokio::process::Command::new(program()?);
    command.arg("--home").arg(home.path()).arg(COMMAND).env_clear().current_dir("/");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut first = command.spawn()?;
    match tokio::time::timeout(FIRST, first.wait()).await {
        Ok(ended) => ended.map(|_| ()),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Runs the first process: leaves the client's session and process group, and starts the second.
///
/// # Errors
/// If the second cannot be started.
pub fn detach(home: &Home) -> io::Result<()> {
    close_open_files();
    // Fails only for the leader of a group, as when a person types the command.
    let _already_leads = rustix::process::setsid();
    let mut command = std::process::Command::new(program()?);
    command.arg("--home").arg(home.path()).arg(COMMAND).arg("--detached");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}

/// Closes the files that were inherited from the client: another process may wait for the end of
/// such a pipe, or for such a lock. Best effort: only where the system lists open files. Must run
/// before this process opens any file itself.
fn close_open_files() {
    let listed = ["/proc/self/fd", "/dev/fd"].iter().find_map(|list| std::fs::read_dir(list).ok());
    let open: Vec<i32> = listed
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // The descriptor of the listing itself is closed already.
        let _closed = nix::unistd::close(descriptor);
    }
}

/// Sets the second process's umask, so that other users can read no file that it creates.
pub fn set_umask() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}
