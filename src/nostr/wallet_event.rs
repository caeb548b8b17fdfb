//! The wallet event (NIP-60, kind 17375) and its backup (kind 375): nutzap keys, mints and relays,
//! encrypted to ourselves.
//!
//! A new event of kind 17375 replaces the old one completely. A reader therefore keeps everything,
//! including unknown tags, and no key is ever dropped. Never creates a key.

use std::fmt;

use super::codec::{lists, tag};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};
use crate::model::secret::Secret;

/// The kind of the wallet event; relays keep only the newest.
pub const KIND: u16 = 17_375;

/// The kind of the backup; relays keep all.
pub const BACKUP: u16 = 375;

/// The content of a wallet event.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct WalletEvent {
    /// Secret keys that nutzaps are locked to, 64 characters of lower-case hex, the current one
    /// first.
    pub privkeys: Vec<Secret>,
    /// The mints, as written.
    pub mints: Vec<String>,
    /// The relays, as written.
    pub relays: Vec<String>,
    /// All other tags, as written. They may contain secrets.
    pub others: Vec<Vec<String>>,
}

impl fmt::Debug for WalletEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletEvent")
            .field("mints", &self.mints)
            .field("relays", &self.relays)
            .finish_non_exhaustive()
    }
}

/// Writes the wallet event. With several keys the first is repeated at the end, because other
/// wallets use the first, the last or any.
///
/// # Errors
/// [`Unwritable`] if it is too long to encrypt.
pub fn write(
    identity: &Identity,
    wallet: &WalletEvent,
    created_at: u64,
) -> Result<Event, Unwritable> {
    write_as(KIND, identity, wallet, created_at)
}

/// Writes the backup.
///
/// # Errors
/// [`Unwritable`] if it is too long to encrypt.
pub fn write_backup(
    identity: &Identity,
    wallet: &WalletEvent,
    created_at: u64,
) -> Result<Event, Unwritable> {
    write_as(BACKUP, identity, wallet, created_at)
}

fn write_as(
    kind: u16,
    identity: &Identity,
    wallet: &WalletEvent,
    created_at: u64,
) -> Result<Event, Unwritable> {
    let mut tags: Vec<Vec<String>> =
        wallet.privkeys.iter().map(|key| tag(&["privkey", key.reveal()])).collect();
    let again = tags.first().filter(|_| tags.len() > 1).cloned();
    tags.extend(wallet.mints.iter().map(|mint| tag(&["mint", mint])));
    tags.extend(wallet.relays.iter().map(|relay| tag(&["relay", relay])));
    tags.extend(wallet.others.iter().cloned());
    tags.extend(again);
    let plain = zeroize::Zeroizing::new(serde_json::to_string(&tags).map_err(|_| Unwritable)?);
    let content = identity.encrypt(&plain)?;
    Ok(identity.sign(UnsignedEvent { kind, created_at, tags: Vec::new(), content })?)
}

/// Reads a wallet event of ours, or its backup, without duplicates. Also reads mints and relays
/// from public tags, where some wallets write them.
///
/// # Errors
/// [`Unreadable`]. The event's content is then unknown, so it must not be replaced.
pub fn read(identity: &Identity, event: &Event) -> Result<WalletEvent, Unreadable> {
    let kind = if event.kind() == BACKUP { BACKUP } else { KIND };
    let plain = super::open_own(identity, event, kind)?;
    let mut wallet = WalletEvent::default();
    for list in lists(&plain).ok_or(Unreadable::Form)? {
        match list.as_slice() {
            [name, key, ..] if name == "privkey" => {
                match Identity::from_nsec(&Secret::new(key.as_str())) {
                    Ok(key) => once(&mut wallet.privkeys, key.secret_hex()),
                    Err(_) => once(&mut wallet.others, list),
                }
            }
            [name, mint, ..] if name == "mint" => once(&mut wallet.mints, mint.clone()),
            [name, relay, ..] if name == "relay" => once(&mut wallet.relays, relay.clone()),
            _ => once(&mut wallet.others, list),
        }
    }
    event.tag_values("mint").for_each(|mint| once(&mut wallet.mints, mint.to_owned()));
    event.tag_values("relay").for_each(|relay| once(&mut wallet.relays, relay.to_owned()));
    Ok(wallet)
}

fn once<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}
