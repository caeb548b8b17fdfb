//! A Nostr key pair: where it comes from, what it signs, what it encrypts to itself (NIP-44).
//!
//! Never prints itself, and keeps no key anywhere.

use std::fmt;

use nostr::nips::nip06::FromMnemonic;
use nostr::nips::nip19::{FromBech32, ToBech32};
use nostr::nips::nip44;
use nostr::nips::nip49::EncryptedSecretKey;
use nostr::{Keys, PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::event::{BadEvent, Event};
use crate::model::secret::Secret;

/// The most work an encrypted key may ask for: a gigabyte of memory, some seconds.
const MAX_LOG_N: u8 = 20;

/// The longest text of a key that is looked at, in bytes.
const MAX_KEY: usize = 1_024;

/// Why there is no key, or why it did not do what was asked. Repeats nothing of what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not twelve to twenty-four words of BIP-39.
    #[error("these are not the words of a mnemonic")]
    Words,
    /// Neither `nsec1...` nor 64 letters of hex, or no key of the curve.
    #[error("this is not a Nostr secret key")]
    Form,
    /// Not `ncryptsec1...`.
    #[error("this is not an encrypted Nostr key")]
    Encrypted,
    /// It asks for more than 2^20 rounds.
    #[error("the encrypted key asks for too much work")]
    TooMuchWork,
    /// The password does not open it.
    #[error("the password does not open the encrypted key")]
    Password,
    /// The system gave no random bytes.
    #[error("the system has no random bytes to give")]
    Random,
    /// Too long to be sealed, or empty.
    #[error("the text cannot be sealed")]
    Encrypt,
}

/// An event to sign.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsignedEvent {
    /// Its kind.
    pub kind: u16,
    /// When it was made, in Unix seconds.
    pub created_at: u64,
    /// Its tags, as they will stand; `p` tags of ourselves stay.
    pub tags: Vec<Vec<String>>,
    /// Its content.
    pub content: String,
}

impl fmt::Debug for UnsignedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({})", self.kind)
    }
}

/// A key pair. `Debug` shows only that it is there.
#[derive(Clone)]
pub struct Identity {
    keys: Keys,
}

impl Identity {
    /// The first account of a mnemonic (NIP-06), with an empty passphrase.
    ///
    /// # Errors
    /// [`BadKey::Words`].
    pub fn from_words(words: &Secret) -> Result<Self, BadKey> {
        let keys =
            Keys::from_mnemonic(words.reveal().trim(), Some("")).map_err(|_| BadKey::Words)?;
        Ok(Self { keys })
    }

    /// `nsec1...` or 64 letters of hex.
    ///
    /// # Errors
    /// [`BadKey::Form`].
    pub fn from_nsec(text: &Secret) -> Result<Self, BadKey> {
        let text = text.reveal().trim();
        if text.len() > MAX_KEY {
            return Err(BadKey::Form);
        }
        let key = if text.len() == 64 {
            SecretKey::from_hex(text).ok()
        } else {
            SecretKey::from_bech32(text).ok()
        };
        Ok(Self { keys: Keys::new(key.ok_or(BadKey::Form)?) })
    }

    /// A key encrypted by a password (NIP-49). Takes seconds and up to a gigabyte: not for an async
    /// thread.
    ///
    /// # Errors
    /// [`BadKey`]; work of more than 2^20 rounds is refused before it is begun.
    pub fn from_ncryptsec(text: &str, password: &Secret) -> Result<Self, BadKey> {
        let text = text.trim();
        if text.len() > MAX_KEY {
            return Err(BadKey::Encrypted);
        }
        let encrypted = EncryptedSecretKey::from_bech32(text).map_err(|_| BadKey::Encrypted)?;
        if encrypted.log_n() > MAX_LOG_N {
            return Err(BadKey::TooMuchWork);
        }
        let key = encrypted
            .decrypt_with_max_log_n(password.reveal(), MAX_LOG_N)
            .map_err(|_| BadKey::Password)?;
        Ok(Self { keys: Keys::new(key) })
    }

    /// A key that nobody has.
    ///
    /// # Errors
    /// [`BadKey::Random`].
    pub fn random() -> Result<Self, BadKey> {
        use rand::TryRngCore;
        for _ in 0..4 {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            rand::rngs::OsRng.try_fill_bytes(bytes.as_mut()).map_err(|_| BadKey::Random)?;
            // Only one in 2^127 draws is no key of the curve.
            if let Ok(key) = SecretKey::from_slice(bytes.as_ref()) {
                return Ok(Self { keys: Keys::new(key) });
            }
        }
        Err(BadKey::Random)
    }

    /// 64 letters of lower-case hex.
    pub fn public_key(&self) -> String {
        self.keys.public_key().to_hex()
    }

    /// `npub1...`
    pub fn npub(&self) -> String {
        let Ok(text) = self.keys.public_key().to_bech32();
        text
    }

    /// The secret key, 64 letters of lower-case hex.
    pub fn secret_hex(&self) -> Secret {
        Secret::new(self.keys.secret_key().to_secret_hex())
    }

    /// The secret key as `nsec1...`
    #[cfg(feature = "testing")]
    pub fn nsec(&self) -> Secret {
        let Ok(text) = self.keys.secret_key().to_bech32();
        Secret::new(text)
    }

    /// Signs.
    ///
    /// # Errors
    /// [`BadEvent::TooLarge`].
    pub fn sign(&self, draft: UnsignedEvent) -> Result<Event, BadEvent> {
        Event::sign(&self.keys, draft.kind, draft.created_at, draft.tags, draft.content)
    }

    /// Encrypts a text so that only this key opens it (NIP-44).
    ///
    /// # Errors
    /// [`BadKey::Encrypt`] when it is empty or longer than 65,408 bytes.
    pub fn encrypt(&self, text: &str) -> Result<String, BadKey> {
        nip44::encrypt(self.keys.secret_key(), &self.me(), text, nip44::Version::V2)
            .map_err(|_| BadKey::Encrypt)
    }

    /// Decrypts what this key has encrypted to itself. `None` for anything else.
    pub fn decrypt(&self, text: &str) -> Option<Zeroizing<String>> {
        nip44::decrypt(self.keys.secret_key(), &self.me(), text).ok().map(Zeroizing::new)
    }

    fn me(&self) -> PublicKey {
        self.keys.public_key()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// A public key as people write it: `npub1...`. `None`: it is not one.
pub fn npub(hex: &str) -> Option<String> {
    PublicKey::from_hex(hex).ok().and_then(|key| key.to_bech32().ok())
}
