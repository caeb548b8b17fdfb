//! Where a wallet's keys lie. Says nothing of what they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the mnemonic is kept. Recorded in the store once known, so that keys that do not answer
/// are never made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysPlace {
    /// The platform's keyring.
    Keyring,
    /// `keys.toml` in the home folder, in clear, readable by its owner alone.
    File,
}

impl fmt::Display for KeysPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyring => "keyring",
            Self::File => "file",
        })
    }
}
