//! Parses a recipient: a person, an event, or a name at a host. Pure.
//!
//! Recognizes a secret key given by mistake, so that it is never sent anywhere as a name.

use nostr::nips::nip19::{FromBech32, Nip19};
use url::Url;

use super::codec::x_only;
use super::relay_list::usable;

/// Maximum length of a text that is parsed, in bytes.
const MAX_TEXT: usize = 5_000;

/// The recipient that a text names. Keys and ids are 64 characters of lower-case hex; `relays` are
/// hints, at most ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A person: `npub1...`, `nprofile1...` or 64 characters of hex.
    Person {
        /// The public key.
        pubkey: String,
        /// Relays that may have the person's events.
        relays: Vec<String>,
    },
    /// An event: `note1...` or `nevent1...`.
    Event {
        /// The id.
        id: String,
        /// Relays that may have the event.
        relays: Vec<String>,
        /// The author, as claimed by the text.
        author: Option<String>,
    },
    /// A replaceable event: `naddr1...`.
    Replaceable {
        /// The kind.
        kind: u16,
        /// The author's public key.
        pubkey: String,
        /// The event's identifier (`d` tag).
        identifier: String,
        /// Relays that may have the event.
        relays: Vec<String>,
    },
    /// `name@host`: a Nostr address (NIP-05), a Lightning address, or both.
    Name {
        /// The part before the `@`, in lower case.
        name: String,
        /// The part after the `@`: a normalized domain, with its port if there is one.
        host: String,
    },
}

impl std::fmt::Display for Recipient {
    /// Writes the key, id, coordinate or address, without relay hints.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person { pubkey, .. } => f.write_str(pubkey),
            Self::Event { id, .. } => f.write_str(id),
            Self::Replaceable { kind, pubkey, identifier, .. } => {
                write!(f, "{kind}:{pubkey}:{identifier}")
            }
            Self::Name { name, host } => write!(f, "{name}@{host}"),
        }
    }
}

/// Reason why a text is not a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecipient {
    /// The text is a secret key, which the error does not contain.
    #[error("this is a secret key, not an address")]
    SecretKey,
    /// The text begins like a Nostr identifier but is damaged.
    #[error("this Nostr identifier is damaged")]
    Damaged,
    /// The text has none of the known forms.
    #[error("this is not a person or event on Nostr")]
    Unknown,
}

/// Parses a text in any case, with or without surrounding white space and `nostr:`.
///
/// # Errors
/// [`NotARecipient`]. No text causes a panic.
pub fn parse(text: &str) -> Result<Recipient, NotARecipient> {
    let text = text.trim();
    if text.len() > MAX_TEXT {
        return Err(NotARecipient::Unknown);
    }
    let lower = text.to_ascii_lowercase();
    let bare =
        lower.strip_prefix("web+nostr:").or_else(|| lower.strip_prefix("nostr:")).unwrap_or(&lower);
    let bare = bare.strip_prefix("//").unwrap_or(bare);
    if bare.starts_with("nsec1") || bare.starts_with("ncryptsec1") {
        return Err(NotARecipient::SecretKey);
    }
    if bare.len() == 64 {
        let pubkey = x_only(bare).ok_or(NotARecipient::Unknown)?;
        return Ok(Recipient::Person { pubkey, relays: Vec::new() });
    }
    if ["npub1", "nprofile1", "note1", "nevent1", "naddr1"]
        .iter()
        .any(|start| bare.starts_with(start))
        && !bare.contains('@')
    {
        return nip_19(bare).ok_or(NotARecipient::Damaged);
    }
    name(bare).ok_or(NotARecipient::Unknown)
}

fn nip_19(text: &str) -> Option<Recipient> {
    match Nip19::from_bech32(text).ok()? {
        Nip19::Pubkey(key) => {
            Some(Recipient::Person { pubkey: x_only(&key.to_hex())?, relays: Vec::new() })
        }
        Nip19::Profile(profile) => {
            let relays = usable(profile.relays.iter().map(|relay| relay.as_str()));
            Some(Recipient::Person { pubkey: x_only(&profile.public_key.to_hex())?, relays })
        }
        Nip19::EventId(id) => {
            Some(Recipient::Event { id: id.to_hex(), relays: Vec::new(), author: None })
        }
        Nip19::Event(event) => {
            let relays = usable(event.relays.iter().map(|relay| relay.as_str()));
            Some(Recipient::Event {
                id: event.event_id.to_hex(),
                relays,
                author: event.author.and_then(|key| x_only(&key.to_hex())),
            })
        }
        Nip19::Coordinate(address) => Some(Recipient::Replaceable {
            kind: address.kind.as_u16(),
            pubkey: x_only(&address.public_key.to_hex())?,
            identifier: address.identifier.clone(),
            relays: usable(address.relays.iter().map(|relay| relay.as_str())),
        }),
        Nip19::Secret(_) | Nip19::EncryptedSecret(_) => None,
    }
}

fn name(text: &str) -> Option<Recipient> {
    let (name, host) = text.split_once('@')?;
    let plain = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'-' | b'_' | b'.' | b'+')
    };
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return None;
    }
    let url = Url::parse(&format!("https://{host}")).ok()?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && !host.contains(['/', '@', '\\', ' ']);
    let domain = url.domain()?;
    let written = url.port().map_or_else(|| domain.to_owned(), |port| format!("{domain}:{port}"));
    let is_domain = domain.contains('.') && domain.len() <= 253 || domain == "localhost";
    (bare && is_domain).then(|| Recipient::Name { name: name.to_owned(), host: written })
}
