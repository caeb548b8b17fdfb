//! Encrypted app data in addition to NIP-60 (NIP-78, kind 30078): the list of the wallet's devices,
//! and its list of mints (NUT-27).
//!
//! The list of mints is signed with a separate key, so it does not identify the owner. Neither list
//! contains a proof or a key.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::codec::tag;
use super::event::Event;
use super::identity::{BadKey, Identity, UnsignedEvent};
use super::{Unreadable, Unwritable, open_own};
use crate::model::secret::Secret;

/// The kind of both lists.
pub const KIND: u16 = 30_078;
/// The `d` tag of the device list.
pub const DEVICES: &str = "nutpurse-devices";
/// The `d` tag of the mint list (NUT-27).
pub const MINTS: &str = "mint-list";
/// The label that derives the key of the mint list (NUT-27).
const MINTS_LABEL: &[u8] = b"cashu-mint-backup";
/// Maximum number of entries of a list that are read.
const MOST: usize = 1_000;

/// Data shared between the devices of a wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// The numbers of the devices.
    pub devices: BTreeSet<u32>,
    /// Mints that any device ever listed as test mints.
    #[serde(default)]
    pub test_mints: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct MintList {
    mints: Vec<String>,
    #[serde(default)]
    timestamp: u64,
}

/// Derives the key of the mint list: SHA-256 of the mnemonic's seed and a fixed label (NUT-27).
///
/// # Errors
/// [`BadKey`] if the hash is not a valid key, which is practically impossible.
pub fn mints_identity(seed: &[u8; 64]) -> Result<Identity, BadKey> {
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(MINTS_LABEL);
    let hex: Zeroizing<String> = Zeroizing::new(hex::encode(hash.finalize()));
    Identity::from_nsec(&Secret::new(hex.as_str()))
}

fn write(
    identity: &Identity,
    name: &str,
    content: &impl Serialize,
    created_at: u64,
) -> Result<Event, Unwritable> {
    let plain = Zeroizing::new(serde_json::to_string(content).map_err(|_| Unwritable)?);
    let content = identity.encrypt(&plain)?;
    Ok(identity.sign(UnsignedEvent {
        kind: KIND,
        created_at,
        tags: vec![tag(&["d", name])],
        content,
    })?)
}

fn open(identity: &Identity, event: &Event, name: &str) -> Result<Zeroizing<String>, Unreadable> {
    if event.tag_values("d").next() != Some(name) {
        return Err(Unreadable::Kind);
    }
    open_own(identity, event, KIND)
}

/// Writes the device list.
///
/// # Errors
/// [`Unwritable`] if it is too long to encrypt.
pub fn write_devices(
    identity: &Identity,
    devices: &Devices,
    created_at: u64,
) -> Result<Event, Unwritable> {
    write(identity, DEVICES, devices, created_at)
}

/// Reads the device list.
///
/// # Errors
/// [`Unreadable`].
pub fn read_devices(identity: &Identity, event: &Event) -> Result<Devices, Unreadable> {
    let plain = open(identity, event, DEVICES)?;
    let told: Devices = serde_json::from_str(&plain).map_err(|_| Unreadable::Form)?;
    if told.devices.len().max(told.test_mints.len()) > MOST {
        Err(Unreadable::TooMuch)
    } else {
        Ok(told)
    }
}

/// Writes the mint list with the key of [`mints_identity`].
///
/// # Errors
/// [`Unwritable`] if it is too long to encrypt.
pub fn write_mints(
    identity: &Identity,
    mints: &[String],
    created_at: u64,
) -> Result<Event, Unwritable> {
    write(identity, MINTS, &MintList { mints: mints.to_vec(), timestamp: created_at }, created_at)
}

/// Reads the mint list, with its URLs as written.
///
/// # Errors
/// [`Unreadable`].
pub fn read_mints(identity: &Identity, event: &Event) -> Result<Vec<String>, Unreadable> {
    let plain = open(identity, event, MINTS)?;
    let told: MintList = serde_json::from_str(&plain).map_err(|_| Unreadable::Form)?;
    if told.mints.len() > MOST { Err(Unreadable::TooMuch) } else { Ok(told.mints) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// Checks the mnemonic and the key of the example in NUT-27.
    #[test]
    fn the_key_of_the_list_is_that_of_the_specification() -> Outcome {
        let words = bip39::Mnemonic::parse(
            "half depart obvious quality work element tank gorilla view sugar picture humble",
        )?;
        let identity = mints_identity(&words.to_seed(""))?;
        assert_eq!(
            identity.secret_hex().reveal(),
            "e7ca79469a270b36617e4227ff2f068d3bcbb6b072c8584190b0203597c53c0d"
        );
        assert_eq!(
            identity.public_key(),
            "0767277aaed200af7a8843491745272fc1ad2c7bfe340225e6f34f3a9a273aed"
        );
        Ok(())
    }

    #[test]
    fn both_lists_read_back_and_are_sealed() -> Outcome {
        let identity = Identity::random()?;
        let devices = Devices {
            devices: BTreeSet::from([0, 2]),
            test_mints: BTreeSet::from(["https://test.example".to_owned()]),
        };
        let event = write_devices(&identity, &devices, 1)?;
        assert_eq!(read_devices(&identity, &event)?, devices);
        let mints = vec!["https://mint.example".to_owned()];
        let event = write_mints(&identity, &mints, 1)?;
        assert_eq!(read_mints(&identity, &event)?, mints);
        assert!(!event.json().contains("mint.example"));
        assert_eq!(read_devices(&identity, &event), Err(Unreadable::Kind));
        assert_eq!(read_mints(&Identity::random()?, &event), Err(Unreadable::NotOurs));
        Ok(())
    }
}
