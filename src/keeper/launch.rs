//! Starting a keeper that outlives its starter.
//!
//! ```text
//!  shim --> `nutpurse keep` --> `nutpurse keep --detached`: the keeper, a child of nobody
//!              leaves the client's session, starts the second, ends
//! ```
//! A client that ends its server with all its children finds no keeper among them. The keeper gets no stream, no working folder and no
//! variable of the client but those of the allow-list in `config::env`.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::Mode;

use crate::config::Home;

/// The command, not shown to people.
const COMMAND: &str = "keep";
/// How long the first process may take; it only starts the second.
const FIRST: Duration = Duration::from_secs(5);

/// This program, also where it was replaced by a newer one since it was started.
fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(match text.strip_suffix(" (deleted)").map(PathBuf::from) {
        Some(newer) if newer.is_file() => newer,
        _ => path,
    })
}

/// Starts a keeper for this folder; returns once it is on its own. Whether it becomes the keeper is for the lock to say.
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

/// What the first process does: leaves the client's session and its group, and starts the second.
///
/// # Errors
/// When the second cannot be started.
pub fn detach(home: &Home) -> io::Result<()> {
    // Fails only for the leader of a group, as when a person types the command.
    let _already_leads = rustix::process::setsid();
    let mut command = std::process::Command::new(program()?);
    command.arg("--home").arg(home.path()).arg(COMMAND).arg("--detached");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // What the client left open, a lock or a pipe, is not for the keeper to hold.
    close_fds::set_fds_cloexec(3, &[]);
    command.spawn().map(drop)
}

/// What the second does before anything else: nothing it makes is for others.
pub fn second() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}
