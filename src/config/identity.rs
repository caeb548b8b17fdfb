//! `wallet.id`: which wallet lives in this folder, beside its store. By it a store that is gone, of
//! another wallet, or older than it was is told from a new folder.
//!
//! Holds no secret. Never says less than was seen: the store's generation only grows in it.

use serde::{Deserialize, Serialize};

use super::files::{self, Access, FileError};
use super::home::Home;
use crate::model::keys::KeysPlace;

const HEADER: &str = "# Which wallet lives in this folder. Written by nutpurse at each start; holds no secret. Leave it beside wallet.redb.\n";

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It is there and says nothing that can be read.
    #[error("wallet.id cannot be read: {0}")]
    Unreadable(String),
    /// It could not be written.
    #[error("wallet.id cannot be written")]
    Write(#[source] std::io::Error),
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The wallet's random name.
    pub wallet_id: String,
    /// Where its keys lie, once they are made.
    pub keys: Option<KeysPlace>,
    /// Which of the mnemonic's devices this home is.
    pub device: u32,
    /// The highest generation of the store that was seen here.
    pub generation: u64,
}

impl Identity {
    /// What the folder says. `None`: there is no such file.
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

    /// Writes it durably, in place of what is there, unless that says the same.
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
