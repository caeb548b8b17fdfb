//! All environment variables, read only here.
//!
//! The only secret read is `NUTPURSE_NSEC`, which is used only for creating new keys. Other secrets
//! are only checked for presence.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::model::secret::Secret;

/// The home folder, an absolute path.
pub const HOME: &str = "NUTPURSE_HOME";
/// The agent's name from the client's configuration. A label, not a credential.
pub const AGENT: &str = "NUTPURSE_AGENT";
/// A Nostr key to adopt when new keys are created.
pub const NSEC: &str = "NUTPURSE_NSEC";
/// A Nostr key under the name that other wallets use. Only its presence is checked.
pub const OTHER_NSEC: &str = "NSEC";
/// The log filter for standard error in the syntax of `tracing-subscriber`, such as `info`.
pub const LOG: &str = "NUTPURSE_LOG";
/// `off` disables the platform's keyring, for containers and tests. Any other value uses it if it
/// answers.
pub const KEYRING: &str = "NUTPURSE_KEYRING";
/// The terminal type; `dumb` if a program reads the output instead of a person.
pub const TERM: &str = "TERM";

/// The values of the environment, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// [`HOME`]. `None` if unset or empty.
    pub home: Option<PathBuf>,
    /// [`AGENT`], unchecked; see [`is_agent_name`]. `None` if unset or empty.
    pub agent: Option<String>,
    /// [`LOG`]. `None` if unset or empty.
    pub log: Option<String>,
    /// [`KEYRING`] is `off`.
    pub keyring_off: bool,
    /// [`NSEC`], unchecked. `None` if unset or empty.
    pub nsec: Option<Secret>,
    /// [`OTHER_NSEC`] is set.
    pub other_nsec_set: bool,
    /// [`TERM`] is `dumb`.
    pub dumb_terminal: bool,
    /// The names of all variables that are set and not empty, for recognizing agents.
    pub names: Vec<String>,
}

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        let names = std::env::vars_os()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name.to_string_lossy().into_owned());
        Self {
            home: value(HOME).map(PathBuf::from),
            agent: text(AGENT),
            log: text(LOG),
            keyring_off: text(KEYRING).is_some_and(|word| word.eq_ignore_ascii_case("off")),
            nsec: text(NSEC).map(Secret::new),
            other_nsec_set: value(OTHER_NSEC).is_some(),
            dumb_terminal: text(TERM).is_some_and(|kind| kind == "dumb"),
            names: names.collect(),
        }
    }
}

/// Returns the variables that a daemon inherits: the user's folder and names, the language, and our
/// own settings. Excluded are variables that load code, redirect traffic, select certificates or
/// the keyring (such as `XDG_RUNTIME_DIR`), or contain a secret.
pub fn for_daemon() -> Vec<(OsString, OsString)> {
    const NAMES: [&str; 9] =
        ["HOME", "PATH", "USER", "LOGNAME", "TZ", "LANG", "LANGUAGE", LOG, KEYRING];
    let is_passed = |name: &str| NAMES.contains(&name) || name.starts_with("LC_");
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed)).collect()
}

/// Returns `true` for a valid agent name: 1 to 64 letters, digits, `_` and `-`.
pub fn is_agent_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn value(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    value(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_word() {
        assert!(is_agent_name("claude-code_2"));
        for text in ["", "a b", "a.b", "é", "a\n", &"a".repeat(65)] {
            assert!(!is_agent_name(text), "{text:?}");
        }
    }
}
