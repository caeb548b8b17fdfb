//! The request to delete coin events (NIP-09, kind 5).
//!
//! Relays need not follow it, and other wallets make one when coins are not spent: it is no proof
//! of anything.

use super::Unwritable;
use super::codec::{is_hex_64, tag};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};

/// The kind of it.
pub const KIND: u16 = 5;

/// Asks to delete these events of kind 7375.
///
/// # Errors
/// When there are too many for one event.
pub fn write(identity: &Identity, ids: &[String], created_at: u64) -> Result<Event, Unwritable> {
    write_of(identity, 7_375, ids, created_at)
}

/// Asks to delete these events of one kind.
///
/// # Errors
/// When there are too many for one event.
pub fn write_of(
    identity: &Identity,
    kind: u16,
    ids: &[String],
    created_at: u64,
) -> Result<Event, Unwritable> {
    let mut tags: Vec<Vec<String>> = ids.iter().map(|id| tag(&["e", id])).collect();
    tags.push(tag(&["k", &kind.to_string()]));
    Ok(identity.sign(UnsignedEvent { kind: KIND, created_at, tags, content: String::new() })?)
}

/// The ids that a request of our own names; none for anybody else's.
pub fn read(identity: &Identity, event: &Event) -> Vec<String> {
    if event.kind() != KIND || event.author() != identity.public_key() {
        return Vec::new();
    }
    event.tag_values("e").filter(|id| is_hex_64(id)).map(str::to_owned).collect()
}
