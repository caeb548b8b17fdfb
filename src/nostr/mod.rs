//! What the wallet says on Nostr and reads there: keys, event formats, relays.
//!
//! The only place that knows the `nostr` crate; its types stay in here. Every event that leaves a
//! reader here had its id and its signature checked first. Never writes to a store, and decides
//! nothing about money: what a relay tells is what somebody wrote, and only a mint knows what is
//! spent.
//!
//! ```text
//!  relays  -->  event (id, signature)  -->  one reader per kind  -->  plain values
//!  relays  <--  event  <--  identity (signs, seals)  <--  one writer per kind
//! ```

pub mod app_data;
mod codec;
pub mod deletion;
pub mod event;
pub mod history_event;
pub mod identity;
pub mod mint_review;
pub mod nutzap;
pub mod nutzap_info;
pub mod nutzap_key;
pub mod profile;
pub mod quote_event;
pub mod recipient;
pub mod relay_info;
pub mod relay_list;
pub mod relays;
pub mod splits;
#[cfg(test)]
mod tests;
pub mod token_event;
pub mod wallet_event;
pub mod zap;

use zeroize::Zeroizing;

pub use event::{BadEvent, Event};
#[cfg(feature = "testing")]
pub use identity::UnsignedEvent;
pub use identity::{BadKey, Identity, npub};
pub use relays::{Ack, End, Listing, Page, Relays};

/// An event of the right kind that cannot be read as what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Of another kind.
    #[error("the event is of another kind")]
    Kind,
    /// Somebody else wrote it.
    #[error("somebody else wrote the event")]
    NotOurs,
    /// Our key does not open it.
    #[error("our key does not open the event")]
    Undecryptable,
    /// Its content has no form we know.
    #[error("the event's content has no form we know")]
    Form,
    /// More than we take in.
    #[error("the event holds more than is taken in")]
    TooMuch,
}

/// An event that cannot be made of this: too long to be sealed or signed, or not what the format
/// takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event can be made of this")]
pub struct Unwritable;

impl From<BadEvent> for Unwritable {
    fn from(_: BadEvent) -> Self {
        Self
    }
}

impl From<BadKey> for Unwritable {
    fn from(_: BadKey) -> Self {
        Self
    }
}

/// The plaintext of an event of ours: its kind and its author come first, then the key is used.
fn open_own(
    identity: &Identity,
    event: &Event,
    kind: u16,
) -> Result<Zeroizing<String>, Unreadable> {
    if event.kind() != kind {
        return Err(Unreadable::Kind);
    }
    if event.author() != identity.public_key() {
        return Err(Unreadable::NotOurs);
    }
    identity.decrypt(event.content()).ok_or(Unreadable::Undecryptable)
}
