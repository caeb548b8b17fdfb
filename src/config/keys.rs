//! The wallet's mnemonic, created once, when it is first needed, from the system's randomness.
//!
//! It is stored in the platform's keyring if that answers within two seconds, else in `keys.toml`,
//! unencrypted with mode 0600. Keys that exist but cannot be read are an error. Never creates new
//! keys in their place, and never overwrites a file.
//!
//! ```text
//!  known place  keys.toml  keyring     result
//!  File         exists     -           these keys
//!  File         missing    -           KeysError::Missing
//!  Keyring      -          has them    these keys
//!  Keyring      -          no answer   KeysError::Locked
//!  Keyring      -          has none    KeysError::Missing
//!  none         exists     -           these keys
//!  none         missing    has them    these keys
//!  none         missing    has none    new keys in the keyring, read back
//!  none         missing    no answer   new keys in keys.toml
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

/// The label of the seeds of devices after the first, followed by the number (4 bytes, big endian).
const DEVICE_LABEL: &[u8] = b"nutpurse/device/";

/// The label of the nutzap key.
const NUTZAP_LABEL: &[u8] = b"nutpurse/nutzap/0";

/// The label of [`Keys::mark`].
const MARK_LABEL: &[u8] = b"nutpurse/mark/";

const HEADER: &str = "# The unencrypted keys of this wallet. Anyone who reads them can take its money. Never share or delete this file.\n";

/// The reason why there are no usable keys. Contains no secret.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The keyring with the keys does not answer; a person must unlock it.
    #[error("the keyring with this wallet's keys is locked or not responding")]
    Locked,
    /// The keys existed but are gone: moved, deleted, or left behind when the folder was copied.
    #[error("this wallet's keys are missing ({0}); put them back, or restore from the backup")]
    Missing(KeysPlace),
    /// The stored keys are invalid.
    #[error("this wallet's keys cannot be read ({place}): {reason}")]
    Damaged {
        /// The place of the keys.
        place: KeysPlace,
        /// The problem, without any content.
        reason: String,
    },
    /// The new keys could not be stored.
    #[error("new keys could not be written")]
    Write(#[source] std::io::Error),
    /// The given text is not a mnemonic.
    #[error("these are not the words of a mnemonic: check their spelling and their order")]
    NotWords,
    /// The folder already has other keys than the given ones.
    #[error("this folder has keys of another wallet ({0}); use an empty folder for these words")]
    OtherWallet(KeysPlace),
    /// The system's random generator failed.
    #[error("the system's random generator failed")]
    Randomness,
    /// The home folder cannot be used.
    #[error("the home folder for the keys cannot be used")]
    Home(#[from] HomeError),
}

/// The keys of one wallet.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    mnemonic: Secret,
    /// An adopted Nostr key. `None` if it is derived from the mnemonic.
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
    /// Loads the keys of the wallet with this id, or creates them if none ever existed. `known` is
    /// their place according to the store. The caller must make the returned place durable in the
    /// store before using the keys for money. Blocks for up to some seconds. New keys adopt
    /// `nostr`, a Nostr key of 64 hex characters; existing keys ignore it.
    ///
    /// # Errors
    /// If existing keys cannot be read, or new ones cannot be stored.
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

    /// Finds existing keys and their place without creating any. `None` if there are none.
    ///
    /// # Errors
    /// If existing keys cannot be read.
    pub fn find(
        home: &Home,
        wallet_id: &str,
        known: Option<KeysPlace>,
        keyring_off: bool,
    ) -> Result<Option<(Self, KeysPlace)>, KeysError> {
        let keyring = keyring(known, keyring_off);
        find(home, &entry_name(home, wallet_id), known, keyring)
    }

    /// Stores a mnemonic that a person typed in the place for new keys, together with a Nostr key
    /// to adopt. Storing the same mnemonic again changes nothing.
    ///
    /// # Errors
    /// [`KeysError::NotWords`]; [`KeysError::OtherWallet`] if the folder has other keys; or if the
    /// keys cannot be stored.
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

    /// Parses the keys that a person typed, without storing them.
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

    /// Returns whether this call created the keys, so that no earlier proofs can exist. If it did
    /// not and the store is new, the wallet must be restored before it derives anything.
    #[cfg(feature = "testing")]
    pub fn created(&self) -> bool {
        self.created
    }

    /// The mnemonic's words.
    pub fn mnemonic(&self) -> &Secret {
        &self.mnemonic
    }

    /// The adopted Nostr key, 64 characters of hex. `None` if it is derived from the mnemonic
    /// (NIP-06).
    pub fn nostr(&self) -> Option<&Secret> {
        self.nostr.as_ref()
    }

    /// Derives the nutzap key to use if relays have none, 64 characters of hex: the first half of
    /// HMAC-SHA512 of a fixed label, with the seed of device 0 as its key. It cannot be computed
    /// from another key of the wallet.
    ///
    /// # Errors
    /// The same as for [`Self::seed`].
    pub fn nutzap(&self) -> Result<Secret, KeysError> {
        let derived = Zeroizing::new(hmac_sha512(&self.seed(0)?, &[NUTZAP_LABEL]));
        Ok(Secret::new(hex::encode(derived.get(..32).unwrap_or_default())))
    }

    /// Derives a mark that identifies the mnemonic without revealing it: part of a hash of a fixed
    /// label and the seed.
    ///
    /// # Errors
    /// The same as for [`Self::seed`].
    pub fn mark(&self) -> Result<String, KeysError> {
        let mut hash = Sha512::new();
        hash.update(MARK_LABEL);
        hash.update(self.seed(0)?.as_slice());
        Ok(hex::encode(hash.finalize().get(..16).unwrap_or_default()))
    }

    /// Derives the ecash seed of a device. Device 0 has the plain BIP-39 seed with an empty
    /// passphrase, as in every Cashu wallet. Other devices have the HMAC-SHA512 of a fixed label
    /// and the device's number, with that seed as its key.
    ///
    /// # Errors
    /// [`KeysError::Damaged`] if the mnemonic is invalid, which loading excludes.
    pub fn seed(&self, device: u32) -> Result<Zeroizing<[u8; 64]>, KeysError> {
        let words = parse(&self.mnemonic, KeysPlace::File)?;
        let seed = Zeroizing::new(words.to_seed_normalized(""));
        if device == 0 {
            return Ok(seed);
        }
        Ok(Zeroizing::new(hmac_sha512(&seed, &[DEVICE_LABEL, &device.to_be_bytes()])))
    }
}

/// Computes HMAC-SHA512 with a seed as its key.
fn hmac_sha512(seed: &Zeroizing<[u8; 64]>, parts: &[&[u8]]) -> [u8; 64] {
    // HMAC pads a key shorter than the hash's block with zeros.
    let mut block = Zeroizing::new([0_u8; 128]);
    block.iter_mut().zip(seed.iter()).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha512> as Mac>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The platform's keyring. Even if it is off, it is used for keys that are known to be in it.
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

/// The keyring entry of this wallet in this folder. A copy of the folder must not find the keys,
/// because two wallets with one seed would use the same outputs.
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
    // Another process may have created the file first, so read what it contains now.
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
    // The parser's own message would quote the content.
    let typed: TypedKeys =
        toml::from_str(&text).map_err(|_| damaged("it is not a valid keys file".to_owned()))?;
    parse(&typed.mnemonic, KeysPlace::File)?;
    Ok(Some((
        Keys { mnemonic: typed.mnemonic, nostr: typed.nostr, created: false },
        KeysPlace::File,
    )))
}

/// The keyring entry: the mnemonic, then an adopted Nostr key on a second line.
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
        .map_err(|_| KeysError::Damaged { place, reason: "the mnemonic is not valid".to_owned() })
}

#[cfg(test)]
mod tests;
