//! The confirmation before a command that only a person may run. It needs a terminal on both ends,
//! shows in plain words what will change, and asks for a typed word that differs each time.
//!
//! No flag skips it. It keeps out an agent that runs commands; a program with an unrestricted shell
//! under the owner's own account can pretend to be a person, and no local program can prevent that.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read, Write};

use rand::Rng as _;

use crate::config::Environment;

/// Maximum length of an answer, in bytes; a longer one is refused.
const MAX_ANSWER: usize = 64;

/// Environment variables that mark an agent's shell. A trailing `*` matches any suffix.
pub const AGENT_MARKERS: &[&str] = &[
    "AGENT",
    "AI_AGENT",
    "AIDER_*",
    "ANTIGRAVITY_AGENT",
    "AUGMENT_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLINE_ACTIVE",
    "CODEX_*",
    "COPILOT_AGENT_*",
    "CURSOR_AGENT",
    "CURSOR_TRACE_ID",
    "DEVIN_*",
    "GEMINI_CLI",
    "GOOSE_*",
    "OPENCODE",
    "REPLIT_AGENT",
];

/// Names that match the markers above, but that people set for themselves in every shell.
pub const NOT_MARKERS: &[&str] =
    &["AIDER_MODEL", "AIDER_DARK_MODE", "CODEX_HOME", "GOOSE_MODEL", "GOOSE_PROVIDER"];

/// Reason why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// Input or output is not a terminal.
    #[error(
        "only a person may do this, at a terminal: run it yourself in a terminal window, without a pipe"
    )]
    NoTerminal,
    /// The environment contains this marker of an agent's shell.
    #[error(
        "only a person may do this, and this shell looks like an agent's ({0} is set): run it yourself in a terminal window of your own"
    )]
    AgentShell(String),
    /// The word was not typed.
    #[error("that was not the word; nothing was changed")]
    Refused,
    /// The terminal failed.
    #[error("the terminal cannot be used; nothing was changed")]
    Io(#[from] io::Error),
}

/// Asks a person to confirm a change.
pub trait Confirmation {
    /// Shows the lines and returns once a person has typed the word.
    ///
    /// # Errors
    /// If there is no person, or the answer is anything else.
    fn confirm(&mut self, lines: &[String]) -> Result<(), ConfirmError>;

    /// Shows the lines only at the terminal. Call it after [`Confirmation::confirm`].
    ///
    /// # Errors
    /// If there is no terminal.
    fn show(&mut self, lines: &[String]) -> Result<(), ConfirmError>;
}

/// The confirmation at this process's terminal.
#[derive(Debug)]
pub struct Terminal<'a> {
    environment: &'a Environment,
}

impl<'a> Terminal<'a> {
    /// Creates a confirmation that is refused if `environment` contains an agent's marker.
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment }
    }
}

impl Confirmation for Terminal<'_> {
    fn confirm(&mut self, lines: &[String]) -> Result<(), ConfirmError> {
        if let Some(mark) = agent_mark(self.environment) {
            return Err(ConfirmError::AgentShell(mark));
        }
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(ConfirmError::NoTerminal);
        }
        let (input, output) = open().map_err(|_| ConfirmError::NoTerminal)?;
        converse(input, output, lines, word())
    }

    fn show(&mut self, lines: &[String]) -> Result<(), ConfirmError> {
        let (_, mut output) = open().map_err(|_| ConfirmError::NoTerminal)?;
        for line in lines {
            writeln!(output, "{}", plain(line))?;
        }
        Ok(output.flush()?)
    }
}

/// The first sign of an agent's shell. `None`: none found.
fn agent_mark(environment: &Environment) -> Option<String> {
    let marked = environment.names.iter().find(|name| {
        let caught = AGENT_MARKERS.iter().any(|mark| match mark.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == mark,
        });
        caught && !NOT_MARKERS.contains(&name.as_str())
    });
    marked.cloned().or_else(|| environment.dumb_terminal.then(|| "TERM=dumb".to_owned()))
}

/// A random word of the BIP-39 list, one of 2048.
fn word() -> &'static str {
    let words = bip39::Language::English.word_list();
    words.get(rand::rng().random_range(0..words.len())).copied().unwrap_or("purse")
}

fn converse(
    input: impl Read,
    mut output: impl Write,
    lines: &[String],
    word: &str,
) -> Result<(), ConfirmError> {
    for line in lines {
        writeln!(output, "{}", plain(line))?;
    }
    write!(
        output,
        "\nTo do this, type the word {word} and press Enter (anything else changes nothing): "
    )?;
    output.flush()?;
    if answer(input)?.is_some_and(|answer| answer.trim().eq_ignore_ascii_case(word)) {
        Ok(())
    } else {
        Err(ConfirmError::Refused)
    }
}

/// Reads one line of input. `None`: it is incomplete, too long or not text.
fn answer(mut input: impl Read) -> io::Result<Option<String>> {
    let (mut bytes, mut one) = (Vec::new(), [0_u8]);
    while bytes.len() < MAX_ANSWER && input.read(&mut one)? == 1 {
        match one {
            [b'\n'] => return Ok(String::from_utf8(bytes).ok()),
            [byte] => bytes.push(byte),
        }
    }
    Ok(None)
}

/// Replaces control characters, which could move the cursor or hide text.
fn plain(line: &str) -> String {
    line.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}

#[cfg(unix)]
fn open() -> io::Result<(File, File)> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    // Text typed before the question was shown is discarded.
    rustix::termios::tcflush(&terminal, rustix::termios::QueueSelector::IFlush)?;
    Ok((terminal.try_clone()?, terminal))
}

#[cfg(not(unix))]
fn open() -> io::Result<(File, File)> {
    let input = OpenOptions::new().read(true).write(true).open("CONIN$")?;
    Ok((input, OpenOptions::new().read(true).write(true).open("CONOUT$")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(typed: &[u8]) -> bool {
        let mut shown = Vec::new();
        let result = converse(typed, &mut shown, &["a \u{1b}[2Jb".to_owned()], "walnut");
        let shown = String::from_utf8_lossy(&shown).into_owned();
        assert!(shown.contains("a ?[2Jb\n") && shown.contains("walnut"), "{shown}");
        assert!(matches!(result, Ok(()) | Err(ConfirmError::Refused)));
        result.is_ok()
    }

    #[test]
    fn only_the_word_on_a_line_of_its_own_passes() {
        assert!(passes(b"walnut\n") && passes(b" Walnut \r\n"));
        for typed in [
            &b""[..],
            b"walnut",
            b"\n",
            b"yes\n",
            b"y\n",
            b"walnut walnut\n",
            b"\xff\n",
            &[b' '; 4096],
        ] {
            assert!(!passes(typed), "{typed:?}");
        }
        let padded = [&[b' '; 64][..], b"walnut\n"].concat();
        assert!(!passes(&padded));
    }

    #[test]
    fn an_agents_shell_is_known_by_its_marks() {
        let with = |name: &str| Environment {
            names: vec!["PATH".into(), name.into()],
            ..Environment::default()
        };
        for name in [
            "CLAUDECODE",
            "CODEX_SANDBOX",
            "CODEX_THREAD_ID",
            "GOOSE_TERMINAL",
            "AI_AGENT",
            "DEVIN_X",
        ] {
            assert_eq!(agent_mark(&with(name)).as_deref(), Some(name));
        }
        for name in
            ["HOME", "CODEX_HOME", "GOOSE_MODEL", "USER_AGENT", "AGENTS", "CI", "SSH_AGENT_PID"]
        {
            assert_eq!(agent_mark(&with(name)), None, "{name}");
        }
        let dumb = Environment { dumb_terminal: true, ..Environment::default() };
        assert_eq!(agent_mark(&dumb).as_deref(), Some("TERM=dumb"));
    }

    #[test]
    fn without_a_terminal_there_is_no_person() {
        if !io::stdin().is_terminal() {
            let environment = Environment::default();
            assert!(matches!(
                Terminal::new(&environment).confirm(&[]),
                Err(ConfirmError::NoTerminal)
            ));
        }
    }

    #[test]
    fn the_word_differs() {
        let words: std::collections::BTreeSet<_> = (0..20).map(|_| word()).collect();
        assert!(words.len() > 10);
    }
}
