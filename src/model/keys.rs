//! The place of a wallet's keys, never the keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The place of the mnemonic. Recorded in the store once known, so that keys that cannot be read
/// now are never created again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysPlace {
    /// The platform's keyring.
    Keyring,
    /// `keys.toml` in the home folder, unencrypted, readable only by its owner.
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
