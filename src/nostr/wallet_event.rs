//! The wallet itself (NIP-60, kind 17375) and its copy (kind 375): keys for nutzaps, mints, relays,
//! sealed to ourselves.
//!
//! Whoever replaces the one event of a kind replaces all it says: so what is read is kept whole,
//! tags we do not know included, and no key is ever dropped. Never makes a key.

use std::fmt;

use super::codec::{lists, tag};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};
use crate::model::secret::Secret;

/// The kind of the wallet; relays keep the newest.
pub const KIND: u16 = 17_375;

/// The kind of its copy; relays keep all.
pub const BACKUP: u16 = 375;

/// What it says.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct WalletEvent {
    /// Secret keys that nutzaps are locked to, 64 letters of lower-case hex, the current one first.
    pub privkeys: Vec<Secret>,
    /// Mints, as they were written.
    pub mints: Vec<String>,
    /// Relays, as they were written.
    pub relays: Vec<String>,
    /// All else, as it was written. May hold secrets.
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

/// Writes the wallet. Of several keys the first is repeated at the end: other wallets use the
/// first, the last or any.
///
/// # Errors
/// When it is too long to be sealed.
pub fn write(
    identity: &Identity,
    wallet: &WalletEvent,
    created_at: u64,
) -> Result<Event, Unwritable> {
    write_as(KIND, identity, wallet, created_at)
}

/// Writes its copy.
///
/// # Errors
/// As [`write()`].
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

/// Reads a wallet of our own, or its copy. What is said twice is taken once; some wallets write
/// mints and relays in clear.
///
/// # Errors
/// [`Unreadable`]: then nothing is known of it, and it must not be replaced.
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
