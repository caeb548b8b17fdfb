//! The handshake on the socket: one line of JSON from each side, then the lines of the session.
//!
//! `want: finish` and the fields it needs never change, so that any program can ask any older
//! daemon to finish.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::config::Home;

/// The version of the socket's protocol.
pub(super) const PROTOCOL: u32 = 1;
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Maximum length of the first line, in bytes.
const LINE_MAX: u64 = 16 * 1024;
/// The prefix of the daemon's last line, which is not JSON-RPC; the number of lines that the daemon
/// has read follows.
pub(super) const LINES_READ: &str = "!read ";

/// The request of a process that connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Want {
    /// An MCP session: every line after the welcome is the session's.
    Session,
    /// The daemon finishes open work and ends.
    Finish,
    /// The daemon reports its status.
    Status,
}

/// The first line of a process that connects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) version: String,
    /// The token in the lock file.
    pub(super) token: String,
    /// The folder's device and inode.
    pub(super) folder: String,
    /// The settings that come from the environment, not from the folder.
    pub(super) settings: String,
    /// The agent of every call in the session.
    pub(super) agent: String,
    pub(super) want: Want,
}

/// Reason for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    /// The daemon uses another version of the protocol.
    Protocol,
    /// The token is not the daemon's.
    Token,
    /// The daemon serves another folder.
    Folder,
    /// The agent's name is not allowed.
    Agent,
    /// The daemon has as many sessions as it can serve.
    Full,
    /// The daemon is about to end.
    Finishing,
    /// A newer daemon gives a reason that this program does not know.
    #[serde(other)]
    Other,
}

/// The daemon's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub(super) protocol: u32,
    pub(super) version: String,
    pub(super) settings: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Refusal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status>,
}

/// The state of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's process id, for people to look at.
    pub pid: u32,
    /// The daemon's version.
    pub version: String,
    /// Unix seconds of the daemon's start.
    pub since: u64,
    /// The agent of each open session.
    pub agents: Vec<String>,
    /// `true` if money is under way, or its outcome is undecided.
    pub has_open: bool,
    /// The number of deposits that their mints call issued, but whose proofs are not here.
    #[serde(default)]
    pub disputed: usize,
    /// Seconds without a session after which the daemon ends.
    pub idle_seconds: u64,
}

/// Returns the folder's device and inode, which are the same for every path to it. Empty if they
/// cannot be read.
pub(super) fn folder_id(home: &Home) -> String {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(home.path())
        .map(|found| format!("{}:{}", found.dev(), found.ino()))
        .unwrap_or_default()
}

/// Writes a message as one line of JSON.
pub(super) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads the other side's first line.
pub(super) async fn read<T: for<'de> Deserialize<'de>>(
    reader: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<T> {
    let mut line = Vec::new();
    reader.take(LINE_MAX).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&line)?)
}

/// Parses a version into numbers that can be compared. An unreadable version counts as the oldest.
pub(super) fn version_numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    plain.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(
            version_numbers("0.10.0") > version_numbers("0.9.9")
                && version_numbers("1.0.0-rc.1") == version_numbers("1.0.0")
                && version_numbers("x") < version_numbers("0.0.1")
        );
    }

    #[test]
    fn what_a_newer_program_says_is_read_as_far_as_it_is_known() -> Result<(), serde_json::Error> {
        let welcome: Welcome = serde_json::from_str(
            r#"{"protocol":9,"version":"9.0.0","settings":"","refused":"weather","mood":"good"}"#,
        )?;
        assert_eq!((welcome.protocol, welcome.refused), (9, Some(Refusal::Other)));
        Ok(())
    }

    #[tokio::test]
    async fn a_first_line_is_whole_and_short_or_refused() {
        let long = format!("\"{}\"\n", "a".repeat(20_000));
        for bytes in ["", "{", "\"torn\"", long.as_str(), "POST / HTTP/1.1\r\n"] {
            assert!(read::<String>(&mut bytes.as_bytes()).await.is_err(), "{:.20}", bytes);
        }
    }
}
