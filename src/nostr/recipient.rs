//! Whom a text names: a person, an event, or a name at a host. Pure; asks nobody.
//!
//! A secret key given by mistake is told apart, so that it is never sent anywhere as if it were a
//! name.

use nostr::nips::nip19::{FromBech32, Nip19};
use url::Url;

use super::codec::x_only;
use super::relay_list::usable;

/// The longest text that is looked at, in bytes.
const MAX_TEXT: usize = 5_000;

/// Whom or what a text names. Keys and ids are 64 letters of lower-case hex; relays are hints, at
/// most ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A person: `npub1...`, `nprofile1...` or 64 letters of hex.
    Person {
        /// Their key.
        pubkey: String,
        /// Where they may be found.
        relays: Vec<String>,
    },
    /// An event: `note1...` or `nevent1...`.
    Event {
        /// Its id.
        id: String,
        /// Where it may be found.
        relays: Vec<String>,
        /// Who is said to have written it.
        author: Option<String>,
    },
    /// An event that later ones replace: `naddr1...`.
    Replaceable {
        /// Its kind.
        kind: u16,
        /// Its author.
        pubkey: String,
        /// Its name among that author's events of the kind.
        identifier: String,
        /// Where it may be found.
        relays: Vec<String>,
    },
    /// `name@host`: a Nostr address (NIP-05), a Lightning address, or both.
    Name {
        /// Before the `@`, in lower case.
        name: String,
        /// After it: a domain in its written form, perhaps with a port.
        host: String,
    },
}

impl std::fmt::Display for Recipient {
    /// What tells one from another: the key, the id, the coordinate or the address, without hints.
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

/// Why a text names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecipient {
    /// It is a secret key. It is not repeated.
    #[error("this is a secret key, and nobody's address")]
    SecretKey,
    /// It begins like a Nostr name and is damaged.
    #[error("this Nostr name is damaged")]
    Damaged,
    /// None of the forms.
    #[error("this is no person and no event on Nostr")]
    Unknown,
}

/// Reads a text in any case, with white space around it and with or without `nostr:`.
///
/// # Errors
/// [`NotARecipient`]; never a panic, whatever the text.
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
