//! What the two sides of the socket say first: one line of JSON each, then lines of the session.
//!
//! `want: finish` and the fields it needs never change, so that any program can ask any older one
//! to make way.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::config::Home;

/// The version of what is spoken on the socket.
pub(super) const PROTOCOL: u32 = 1;
/// This program's version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The longest first line.
const LINE_MAX: u64 = 16 * 1024;
/// How a line of the keeper's begins that is no line of the session: how many of the shim's lines
/// it has read.
pub(super) const READ: &str = "!read ";

/// What is wanted of the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Want {
    /// An MCP session: every line after the welcome is the session's.
    Session,
    /// That it finishes what is open, and ends.
    Finish,
    /// What it is doing.
    Status,
}

/// Who comes, and what for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) version: String,
    /// From the lock's note.
    pub(super) token: String,
    /// Which folder is meant.
    pub(super) folder: String,
    /// The settings that come from the environment, not from the folder.
    pub(super) settings: String,
    /// The agent of every call in the session.
    pub(super) agent: String,
    pub(super) want: Want,
}

/// Why the keeper does not want to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    /// It speaks another version of this.
    Protocol,
    /// The token is not the keeper's.
    Token,
    /// It keeps another folder.
    Folder,
    /// That is no agent's name.
    Agent,
    /// It has as many sessions as it can.
    Full,
    /// It is about to end.
    Finishing,
    /// Something newer than this program, which it cannot name.
    #[serde(other)]
    Other,
}

/// The keeper's answer.
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

/// What a keeper says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process, for people to look at.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Since when it keeps the wallet, in Unix seconds.
    pub since: u64,
    /// Sessions it serves now, by agent.
    pub agents: Vec<String>,
    /// Something about money is under way or undecided.
    pub has_open: bool,
    /// Deposits that their mints call issued, and of which nothing is here.
    #[serde(default)]
    pub disputed: usize,
    /// Seconds without a session after which it ends.
    pub idle_seconds: u64,
}

/// Names a folder, however it is reached. Empty where it cannot be looked at.
pub(super) fn folder(home: &Home) -> String {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(home.path())
        .map(|found| format!("{}:{}", found.dev(), found.ino()))
        .unwrap_or_default()
}

/// A line of the socket.
pub(super) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The first line of the other side.
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

/// A version in numbers, to be compared. What cannot be read is the oldest.
pub(super) fn newness(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    plain.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(
            newness("0.10.0") > newness("0.9.9")
                && newness("1.0.0-rc.1") == newness("1.0.0")
                && newness("x") < newness("0.0.1")
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
