//! Nostr: keys, event formats and relays.
//!
//! The only user of the `nostr` crate, whose types do not leave this folder. Every event that a
//! reader returns has a verified id and signature. Never writes to the store and decides nothing
//! about money: a relay only passes on what someone wrote, and only a mint knows what is spent.
//!
//! ```text
//!  relays  -->  event (id, signature)  -->  one reader per kind  -->  plain values
//!  relays  <--  event  <--  identity (signs, encrypts)  <--  one writer per kind
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

/// Reason why an event cannot be read as the expected format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The event has another kind.
    #[error("the event has another kind")]
    Kind,
    /// The event has another author.
    #[error("someone else wrote the event")]
    NotOurs,
    /// The event cannot be decrypted with our key.
    #[error("our key cannot decrypt the event")]
    Undecryptable,
    /// The content has an unknown form.
    #[error("the event's content has an unknown form")]
    Form,
    /// The event contains more entries than are read.
    #[error("the event contains too many entries")]
    TooMuch,
}

/// The error for content that cannot become an event: too long to encrypt or sign, or invalid in
/// the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this cannot be made into an event")]
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

/// Decrypts an event of ours, after checking its kind and author.
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
