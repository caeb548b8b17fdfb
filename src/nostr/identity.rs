//! A Nostr key pair: its import, signatures and encryption to itself (NIP-44).
//!
//! Never prints or stores a secret key.

use std::fmt;

use nostr::nips::nip06::FromMnemonic;
use nostr::nips::nip19::{FromBech32, ToBech32};
use nostr::nips::nip44;
use nostr::nips::nip49::EncryptedSecretKey;
use nostr::{Keys, PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::event::{BadEvent, Event};
use crate::model::secret::Secret;

/// The highest scrypt cost of an encrypted key, as log2: a gigabyte of memory and some seconds.
const MAX_LOG_N: u8 = 20;

/// Maximum length of a text that is parsed as a key, in bytes.
const MAX_KEY: usize = 1_024;

/// The error of a key operation. Contains nothing of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The text is not a BIP-39 mnemonic.
    #[error("these are not the words of a mnemonic")]
    Words,
    /// The text is neither `nsec1...` nor 64 characters of hex, or is not a valid key.
    #[error("this is not a Nostr secret key")]
    Form,
    /// The text is not `ncryptsec1...`.
    #[error("this is not an encrypted Nostr key")]
    Encrypted,
    /// The encrypted key requires more than 2^20 rounds.
    #[error("decrypting the key would take too much work")]
    TooMuchWork,
    /// The password does not decrypt the key.
    #[error("the password does not decrypt the key")]
    Password,
    /// The system's random generator failed.
    #[error("the system's random generator failed")]
    Random,
    /// The text is empty or too long to encrypt.
    #[error("the text cannot be encrypted")]
    Encrypt,
}

/// An event to sign.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsignedEvent {
    /// The kind.
    pub kind: u16,
    /// The creation time, in Unix seconds.
    pub created_at: u64,
    /// The tags, unchanged; `p` tags with our own key are kept.
    pub tags: Vec<Vec<String>>,
    /// The content.
    pub content: String,
}

impl fmt::Debug for UnsignedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({})", self.kind)
    }
}

/// A key pair. `Debug` shows no key.
#[derive(Clone)]
pub struct Identity {
    keys: Keys,
}

impl Identity {
    /// Derives the first account of a mnemonic (NIP-06) with an empty passphrase.
    ///
    /// # Errors
    /// [`BadKey::Words`].
    pub fn from_words(words: &Secret) -> Result<Self, BadKey> {
        let keys =
            Keys::from_mnemonic(words.reveal().trim(), Some("")).map_err(|_| BadKey::Words)?;
        Ok(Self { keys })
    }

    /// Parses `nsec1...` or 64 characters of hex.
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

    /// Decrypts a key with a password (NIP-49). Blocks for seconds and takes up to a gigabyte of
    /// memory, so do not call it on an async thread.
    ///
    /// # Errors
    /// [`BadKey`]. More than 2^20 rounds are refused before any work.
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

    /// Generates a random key.
    ///
    /// # Errors
    /// [`BadKey::Random`].
    pub fn random() -> Result<Self, BadKey> {
        use rand::TryRngCore;
        for _ in 0..4 {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            rand::rngs::OsRng.try_fill_bytes(bytes.as_mut()).map_err(|_| BadKey::Random)?;
            // Only one in 2^127 draws is not a valid key.
            if let Ok(key) = SecretKey::from_slice(bytes.as_ref()) {
                return Ok(Self { keys: Keys::new(key) });
            }
        }
        Err(BadKey::Random)
    }

    /// The public key, 64 characters of lower-case hex.
    pub fn public_key(&self) -> String {
        self.keys.public_key().to_hex()
    }

    /// The public key as `npub1...`.
    pub fn npub(&self) -> String {
        let Ok(text) = self.keys.public_key().to_bech32();
        text
    }

    /// The secret key, 64 characters of lower-case hex.
    pub fn secret_hex(&self) -> Secret {
        Secret::new(self.keys.secret_key().to_secret_hex())
    }

    /// The secret key as `nsec1...`.
    #[cfg(feature = "testing")]
    pub fn nsec(&self) -> Secret {
        let Ok(text) = self.keys.secret_key().to_bech32();
        Secret::new(text)
    }

    /// Signs an event.
    ///
    /// # Errors
    /// [`BadEvent::TooLarge`].
    pub fn sign(&self, draft: UnsignedEvent) -> Result<Event, BadEvent> {
        Event::sign(&self.keys, draft.kind, draft.created_at, draft.tags, draft.content)
    }

    /// Encrypts a text to this key itself (NIP-44).
    ///
    /// # Errors
    /// [`BadKey::Encrypt`] if the text is empty or longer than 65,408 bytes.
    pub fn encrypt(&self, text: &str) -> Result<String, BadKey> {
        nip44::encrypt(self.keys.secret_key(), &self.me(), text, nip44::Version::V2)
            .map_err(|_| BadKey::Encrypt)
    }

    /// Decrypts a text that this key encrypted to itself. `None` for any other text.
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

/// Converts a public key from hex to `npub1...`. `None` if it is not a public key.
pub fn npub(hex: &str) -> Option<String> {
    PublicKey::from_hex(hex).ok().and_then(|key| key.to_bech32().ok())
}
