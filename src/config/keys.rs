//! The wallet's mnemonic: made once, at first need, from the system's randomness.
//!
//! Kept in the platform's keyring where it answers within two seconds, else in `keys.toml`, in
//! clear, mode 0600. Keys that are known to exist and do not answer are an error, never made anew;
//! a file that is there is never overwritten.
//!
//! ```text
//!  known      keys.toml      keyring
//!  File       read it        -                    missing: KeysError::Missing
//!  Keyring    -              has it               silent: KeysError::Locked; surely without it: KeysError::Missing
//!  nothing    there: it      has it: it
//!             not there      has none             new keys, kept there, and read back
//!             not there      silent               new keys, in keys.toml
//! ```

use std::fmt;

use bip39::Mnemonic;
use hmac::{Hmac, Mac};
use rand::TryRngCore as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::files::{self, Access, FileError};
use super::home::{Home, HomeError};
use super::keyring::{Keyring, NoKeyring, Platform};
use crate::model::keys::KeysPlace;
use crate::model::secret::Secret;

/// What is derived for a device beside the first; followed by its number, 4 bytes, big endian.
const DEVICE_LABEL: &[u8] = b"nutpurse/device/";

/// What the key for nutzaps is derived with.
const NUTZAP_LABEL: &[u8] = b"nutpurse/nutzap/0";

/// What the hash of a seed begins with that tells it from others.
const MARK_LABEL: &[u8] = b"nutpurse/mark/";

const HEADER: &str = "# The keys of this wallet, in clear. Who reads them owns its money. Never share or delete this file.\n";

/// Why there are no keys to work with. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The keyring holds them and does not answer: a person unlocks it.
    #[error("the keyring that holds this wallet's keys is locked or does not answer")]
    Locked,
    /// They were there, and are not: moved, deleted, or the folder was copied from elsewhere.
    #[error(
        "this wallet's keys are not in their place ({0}); put them back, or restore from the backup"
    )]
    Missing(KeysPlace),
    /// They are there and are not keys.
    #[error("this wallet's keys cannot be read ({place}): {reason}")]
    Damaged {
        /// Where they lie.
        place: KeysPlace,
        /// What is wrong, without a word of the content.
        reason: String,
    },
    /// New keys could not be kept.
    #[error("new keys could not be written")]
    Write(#[source] std::io::Error),
    /// What was given is no mnemonic.
    #[error("these are not the words of a mnemonic: check their spelling and their order")]
    NotWords,
    /// This folder has keys already, and they are not the ones given.
    #[error("this folder has keys of another wallet ({0}); use an empty folder for these words")]
    OtherWallet(KeysPlace),
    /// The system has no randomness to give.
    #[error("the system gave no randomness")]
    Randomness,
    /// The home folder cannot be used.
    #[error("there is no home folder for the keys")]
    Home(#[from] HomeError),
}

/// The keys of one wallet.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    mnemonic: Secret,
    /// A Nostr key that was taken over. `None`: it is derived from the words.
    nostr: Option<Secret>,
    created: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedKeys {
    mnemonic: Secret,
    #[serde(default)]
    nostr: Option<Secret>,
}

impl Keys {
    /// The keys of the wallet with this id; new ones where none were ever made. `known` is where
    /// the store says they lie. The place returned must be durable in the store before the keys are
    /// used for money. Blocks, up to some seconds. `nostr` is a Nostr key that new keys take over
    /// (64 letters of hex); where there are keys it changes nothing.
    ///
    /// # Errors
    /// Where keys exist and cannot be had, or new ones cannot be kept.
    pub fn load_or_create(
        home: &Home,
        wallet_id: &str,
        known: Option<KeysPlace>,
        keyring_off: bool,
        nostr: Option<&Secret>,
    ) -> Result<(Self, KeysPlace), KeysError> {
        let keyring = keyring(known, keyring_off);
        load_or_create(home, wallet_id, known, keyring, nostr)
    }

    /// The keys that are there, and where. `None`: there are none. Makes none.
    ///
    /// # Errors
    /// Where keys exist and cannot be had.
    pub fn find(
        home: &Home,
        wallet_id: &str,
        known: Option<KeysPlace>,
        keyring_off: bool,
    ) -> Result<Option<(Self, KeysPlace)>, KeysError> {
        let keyring = keyring(known, keyring_off);
        find(home, &entry_name(home, wallet_id), known, keyring)
    }

    /// Keeps a mnemonic that a person has typed, where new keys would be kept, with a Nostr key to
    /// take over beside it. The same words again change nothing.
    ///
    /// # Errors
    /// [`KeysError::NotWords`]; [`KeysError::OtherWallet`] when the folder has other keys; when
    /// they cannot be kept.
    pub fn keep(
        home: &Home,
        wallet_id: &str,
        known: Option<KeysPlace>,
        words: &Secret,
        keyring_off: bool,
        nostr: Option<&Secret>,
    ) -> Result<(Self, KeysPlace), KeysError> {
        let keyring = keyring(known, keyring_off);
        keep(home, wallet_id, known, words, keyring, nostr)
    }

    /// The keys that a person has typed; they are kept nowhere.
    ///
    /// # Errors
    /// [`KeysError::NotWords`].
    pub fn typed(words: &Secret) -> Result<Self, KeysError> {
        let given = Zeroizing::new(
            words.reveal().split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase(),
        );
        let mnemonic = Mnemonic::parse_normalized(&given).map_err(|_| KeysError::NotWords)?;
        Ok(Self { mnemonic: Secret::new(mnemonic.to_string()), nostr: None, created: false })
    }

    /// Made by this very call: there can be no coins of an earlier life. Where this is `false` and
    /// the store is new, the wallet has to be restored before it derives anything.
    #[cfg(feature = "testing")]
    pub fn created(&self) -> bool {
        self.created
    }

    /// The twelve words.
    pub fn mnemonic(&self) -> &Secret {
        &self.mnemonic
    }

    /// The Nostr key that was taken over, 64 letters of hex. `None`: it is derived from the words
    /// (NIP-06).
    pub fn nostr(&self) -> Option<&Secret> {
        self.nostr.as_ref()
    }

    /// The key that nutzaps are locked to where relays name none, 64 letters of hex: the first
    /// half of the HMAC-SHA512 of a fixed label, with the seed of device 0 as its key. Nobody can
    /// compute it from another key of the wallet.
    ///
    /// # Errors
    /// As [`Self::seed`].
    pub fn nutzap(&self) -> Result<Secret, KeysError> {
        let derived = Zeroizing::new(hmac_sha512(&self.seed(0)?, &[NUTZAP_LABEL]));
        Ok(Secret::new(hex::encode(derived.get(..32).unwrap_or_default())))
    }

    /// Tells these words from others, and nothing about them: half of a hash of the seed under a
    /// fixed label.
    ///
    /// # Errors
    /// As [`Self::seed`].
    pub fn mark(&self) -> Result<String, KeysError> {
        let mut hash = Sha512::new();
        hash.update(MARK_LABEL);
        hash.update(self.seed(0)?.as_slice());
        Ok(hex::encode(hash.finalize().get(..16).unwrap_or_default()))
    }

    /// The ecash seed of a device. Device 0: the plain BIP-39 seed, empty passphrase, as every
    /// Cashu wallet has it. Others: HMAC-SHA512 under that seed, of a fixed label and the device's
    /// number.
    ///
    /// # Errors
    /// [`KeysError::Damaged`] when the words are no mnemonic, which loading has ruled out.
    pub fn seed(&self, device: u32) -> Result<Zeroizing<[u8; 64]>, KeysError> {
        let words = parse(&self.mnemonic, KeysPlace::File)?;
        let seed = Zeroizing::new(words.to_seed_normalized(""));
        if device == 0 {
            return Ok(seed);
        }
        Ok(Zeroizing::new(hmac_sha512(&seed, &[DEVICE_LABEL, &device.to_be_bytes()])))
    }
}

/// HMAC-SHA512 with a seed as its key.
fn hmac_sha512(seed: &Zeroizing<[u8; 64]>, parts: &[&[u8]]) -> [u8; 64] {
    // A key shorter than the hash's block is padded with zeros, by HMAC's own rule.
    let mut block = Zeroizing::new([0_u8; 128]);
    block.iter_mut().zip(seed.iter()).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha512> as Mac>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The platform's, also where it is off for new keys but holds those that are known.
fn keyring(known: Option<KeysPlace>, is_off: bool) -> &'static dyn Keyring {
    if is_off && known != Some(KeysPlace::Keyring) { &NoKeyring } else { &Platform }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

fn load_or_create(
    home: &Home,
    wallet_id: &str,
    known: Option<KeysPlace>,
    keyring: &dyn Keyring,
    nostr: Option<&Secret>,
) -> Result<(Keys, KeysPlace), KeysError> {
    let name = entry_name(home, wallet_id);
    match known {
        Some(KeysPlace::File) => from_file(home)?.ok_or(KeysError::Missing(KeysPlace::File)),
        Some(KeysPlace::Keyring) => {
            let kept = keyring.get(&name).map_err(|_| KeysError::Locked)?;
            kept_in_keyring(kept.ok_or(KeysError::Missing(KeysPlace::Keyring))?)
        }
        None => match from_file(home)? {
            Some(found) => Ok(found),
            None => match keyring.get(&name) {
                Ok(Some(kept)) => kept_in_keyring(kept),
                Ok(None) => create(home, &name, Some(keyring), nostr),
                Err(_) => create(home, &name, None, nostr),
            },
        },
    }
}

fn find(
    home: &Home,
    name: &str,
    known: Option<KeysPlace>,
    keyring: &dyn Keyring,
) -> Result<Option<(Keys, KeysPlace)>, KeysError> {
    if let Some(found) = from_file(home)? {
        return Ok(Some(found));
    }
    match (keyring.get(name), known) {
        (Ok(kept), _) => kept.map(kept_in_keyring).transpose(),
        (Err(_), Some(KeysPlace::Keyring)) => Err(KeysError::Locked),
        (Err(_), _) => Ok(None),
    }
}

fn keep(
    home: &Home,
    wallet_id: &str,
    known: Option<KeysPlace>,
    words: &Secret,
    keyring: &dyn Keyring,
    nostr: Option<&Secret>,
) -> Result<(Keys, KeysPlace), KeysError> {
    let mut typed = Keys::typed(words)?;
    typed.nostr = nostr.cloned();
    typed.created = true;
    let name = entry_name(home, wallet_id);
    match find(home, &name, known, keyring)? {
        Some((keys, place)) if keys.mnemonic == typed.mnemonic => Ok((keys, place)),
        Some((_, place)) => Err(KeysError::OtherWallet(place)),
        None => put(home, &name, typed, (known != Some(KeysPlace::File)).then_some(keyring)),
    }
}

/// A copy of the folder elsewhere must not find the keys: two wallets on one seed would use the
/// same outputs.
fn entry_name(home: &Home, wallet_id: &str) -> String {
    let path = std::fs::canonicalize(home.path()).unwrap_or_else(|_| home.path().to_path_buf());
    format!("{wallet_id} {}", path.to_string_lossy())
}

fn create(
    home: &Home,
    name: &str,
    keyring: Option<&dyn Keyring>,
    nostr: Option<&Secret>,
) -> Result<(Keys, KeysPlace), KeysError> {
    let mut entropy = Zeroizing::new([0_u8; 16]);
    rand::rngs::OsRng.try_fill_bytes(&mut *entropy).map_err(|_| KeysError::Randomness)?;
    let words = Mnemonic::from_entropy(&*entropy).map_err(|_| KeysError::Randomness)?;
    put(
        home,
        name,
        Keys { mnemonic: Secret::new(words.to_string()), nostr: nostr.cloned(), created: true },
        keyring,
    )
}

fn put(
    home: &Home,
    name: &str,
    keys: Keys,
    keyring: Option<&dyn Keyring>,
) -> Result<(Keys, KeysPlace), KeysError> {
    let entry = in_keyring(&keys);
    let kept = keyring.is_some_and(|keyring| {
        keyring.set(name, &entry).is_ok()
            && keyring.get(name).is_ok_and(|back| back.as_ref() == Some(&entry))
    });
    if kept {
        return Ok((keys, KeysPlace::Keyring));
    }
    home.ensure()?;
    let mut text = Zeroizing::new(format!("{HEADER}mnemonic = \"{}\"\n", keys.mnemonic.reveal()));
    if let Some(nostr) = &keys.nostr {
        text.push_str("nostr = \"");
        text.push_str(nostr.reveal());
        text.push_str("\"\n");
    }
    files::create(&home.keys(), &text).map_err(KeysError::Write)?;
    // Whatever lies there now is what the wallet has: another process may have come first.
    let (found, place) = from_file(home)?.ok_or(KeysError::Missing(KeysPlace::File))?;
    let created = found.mnemonic == keys.mnemonic;
    Ok((Keys { created, ..found }, place))
}

fn from_file(home: &Home) -> Result<Option<(Keys, KeysPlace)>, KeysError> {
    let damaged = |reason: String| KeysError::Damaged { place: KeysPlace::File, reason };
    let text = match files::read(&home.keys(), Access::OwnerOnly) {
        Ok(text) => Zeroizing::new(text),
        Err(FileError::Missing) => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
    };
    // The parser's own message would quote the file.
    let typed: TypedKeys =
        toml::from_str(&text).map_err(|_| damaged("it is not a file of keys".to_owned()))?;
    parse(&typed.mnemonic, KeysPlace::File)?;
    Ok(Some((
        Keys { mnemonic: typed.mnemonic, nostr: typed.nostr, created: false },
        KeysPlace::File,
    )))
}

/// The entry of a keyring: the words, and below them a Nostr key that was taken over.
fn in_keyring(keys: &Keys) -> Secret {
    match &keys.nostr {
        Some(nostr) => Secret::new(format!("{}\n{}", keys.mnemonic.reveal(), nostr.reveal())),
        None => keys.mnemonic.clone(),
    }
}

fn kept_in_keyring(entry: Secret) -> Result<(Keys, KeysPlace), KeysError> {
    let mut lines = entry.reveal().lines();
    let mnemonic = Secret::new(lines.next().unwrap_or_default());
    let nostr = lines.next().map(Secret::new);
    parse(&mnemonic, KeysPlace::Keyring)?;
    Ok((Keys { mnemonic, nostr, created: false }, KeysPlace::Keyring))
}

fn parse(mnemonic: &Secret, place: KeysPlace) -> Result<Mnemonic, KeysError> {
    Mnemonic::parse_normalized(mnemonic.reveal())
        .map_err(|_| KeysError::Damaged { place, reason: "the words are no mnemonic".to_owned() })
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
