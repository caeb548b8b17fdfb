//! `wallet.id`: identifies the wallet of this folder independently of its store. It distinguishes a
//! new folder from one whose store is missing, outdated or from another wallet.
//!
//! Contains no secret. The recorded generation of the store never decreases.

use serde::{Deserialize, Serialize};

use super::files::{self, Access, FileError};
use super::home::Home;
use crate::model::keys::KeysPlace;

const HEADER: &str = "# Identifies the wallet in this folder. Written by nutpurse at each start; contains no secret. Keep it beside wallet.redb.\n";

/// Reason why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file exists but cannot be read.
    #[error("wallet.id cannot be read: {0}")]
    Unreadable(String),
    /// The file could not be written.
    #[error("wallet.id cannot be written")]
    Write(#[source] std::io::Error),
}

/// The content of `wallet.id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The wallet's random id.
    pub wallet_id: String,
    /// The place of the keys. `None` before they are created.
    pub keys: Option<KeysPlace>,
    /// The number of this device among those of the mnemonic.
    pub device: u32,
    /// The highest generation of the store seen in this folder.
    pub generation: u64,
}

impl Identity {
    /// Reads the file. `None` if it does not exist.
    ///
    /// # Errors
    /// [`IdentityError::Unreadable`].
    pub fn read(home: &Home) -> Result<Option<Self>, IdentityError> {
        let text = match files::read(&home.identity(), Access::OwnerWrites) {
            Ok(text) => text,
            Err(FileError::Missing) => return Ok(None),
            Err(error) => return Err(IdentityError::Unreadable(error.to_string())),
        };
        toml::from_str(&text)
            .map(Some)
            .map_err(|error| IdentityError::Unreadable(error.message().to_owned()))
    }

    /// Writes the file durably unless it already has this content.
    ///
    /// # Errors
    /// [`IdentityError::Write`].
    pub fn write(&self, home: &Home) -> Result<(), IdentityError> {
        if Self::read(home).is_ok_and(|known| known.as_ref() == Some(self)) {
            return Ok(());
        }
        let body = toml::to_string(self)
            .map_err(|error| IdentityError::Write(std::io::Error::other(error)))?;
        files::replace(&home.identity(), &format!("{HEADER}{body}")).map_err(IdentityError::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn it_says_again_what_was_written_and_refuses_what_it_cannot_read()
    -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let home = Home::resolve(Some(folder.path()), &Environment::default())?;
        assert_eq!(Identity::read(&home)?, None);
        for keys in [None, Some(KeysPlace::File), Some(KeysPlace::Keyring)] {
            let identity = Identity { wallet_id: "abc".to_owned(), keys, device: 2, generation: 7 };
            identity.write(&home)?;
            assert_eq!(Identity::read(&home)?, Some(identity));
        }
        for damaged in
            ["", "wallet_id = 3", "wallet_id = \"a\"\ndevice = 0\ngeneration = 1\nmore = 1\n"]
        {
            files::replace(&home.identity(), damaged)?;
            assert!(
                matches!(Identity::read(&home), Err(IdentityError::Unreadable(_))),
                "{damaged}"
            );
        }
        Ok(())
    }
}
