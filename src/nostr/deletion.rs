//! Deletion requests (NIP-09, kind 5).
//!
//! A deletion request proves nothing: relays may ignore it, and other wallets also delete token
//! events with unspent proofs.

use super::Unwritable;
use super::codec::{is_hex_64, tag};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};

/// The kind of a deletion request.
pub const KIND: u16 = 5;

/// Writes a request to delete token events (kind 7375).
///
/// # Errors
/// [`Unwritable`] if there are too many ids for one event.
pub fn write(identity: &Identity, ids: &[String], created_at: u64) -> Result<Event, Unwritable> {
    write_of(identity, 7_375, ids, created_at)
}

/// Writes a request to delete events of one kind.
///
/// # Errors
/// [`Unwritable`] if there are too many ids for one event.
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

/// Returns the ids in a request of ours; none if another author wrote it.
pub fn read(identity: &Identity, event: &Event) -> Vec<String> {
    if event.kind() != KIND || event.author() != identity.public_key() {
        return Vec::new();
    }
    event.tag_values("e").filter(|id| is_hex_64(id)).map(str::to_owned).collect()
}
