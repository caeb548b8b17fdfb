//! Every environment variable, read in this one place.
//!
//! Of the variables that hold a secret it reads one, `NUTPURSE_NSEC`, and shows it to nobody but
//! what makes new keys; of others it says only whether they are there.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::model::secret::Secret;

/// The home folder: an absolute path.
pub const HOME: &str = "NUTPURSE_HOME";
/// The agent's name, given by the client's configuration. A label, not a credential.
pub const AGENT: &str = "NUTPURSE_AGENT";
/// A Nostr key, taken over where new keys are made.
pub const NSEC: &str = "NUTPURSE_NSEC";
/// A Nostr key, as other wallets call it. Only noticed.
pub const OTHER_NSEC: &str = "NSEC";
/// What to log to standard error, in the words of `tracing-subscriber`'s filter, e.g. `info`.
pub const LOG: &str = "NUTPURSE_LOG";
/// `off`: do not use the platform's keyring, for containers and tests. Anything else: use it where
/// it answers.
pub const KEYRING: &str = "NUTPURSE_KEYRING";
/// The kind of terminal. `dumb` where a program, not a person, looks at it.
pub const TERM: &str = "TERM";

/// What the environment says, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// [`HOME`]. `None` when unset or empty.
    pub home: Option<PathBuf>,
    /// [`AGENT`], as given; see [`is_agent_name`]. `None` when unset or empty.
    pub agent: Option<String>,
    /// [`LOG`]. `None` when unset or empty.
    pub log: Option<String>,
    /// [`KEYRING`] is `off`.
    pub keyring_off: bool,
    /// [`NSEC`], as given. `None` when unset or empty.
    pub nsec: Option<Secret>,
    /// [`OTHER_NSEC`] is set.
    pub other_nsec_set: bool,
    /// [`TERM`] is `dumb`.
    pub dumb_terminal: bool,
    /// The names of all variables that are set and not empty, for those who look for an agent's
    /// marks.
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

/// What a process that keeps the wallet gets of its starter's environment: the user's folder and
/// names, the language, and our own settings. Nothing that loads code, leads traffic elsewhere,
/// chooses certificates or the keyring (as `XDG_RUNTIME_DIR` does), or holds a secret.
pub fn for_daemon() -> Vec<(OsString, OsString)> {
    const NAMES: [&str; 9] =
        ["HOME", "PATH", "USER", "LOGNAME", "TZ", "LANG", "LANGUAGE", LOG, KEYRING];
    let is_passed = |name: &str| NAMES.contains(&name) || name.starts_with("LC_");
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed)).collect()
}

/// An agent's name may be this: 1 to 64 letters, digits, `_` and `-`.
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
