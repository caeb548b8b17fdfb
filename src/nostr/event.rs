//! Events (NIP-01) with a verified id and signature.
//!
//! An [`Event`] is created only by reading or signing, so its holder need not verify it again. The
//! caller must check who may be its author and whether its time is plausible.

use std::fmt;

use nostr::secp256k1::schnorr::Signature;
use nostr::secp256k1::{Message, XOnlyPublicKey};
use nostr::{Keys, SECP256K1};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::codec::is_hex_64;

/// Maximum length of an event that is read, in bytes.
pub const MAX_EVENT: usize = 512 * 1024;

/// Maximum number of tags of an event, and of strings in all its tags; even an empty one takes
/// memory.
const MAX_TAGS: usize = 8_000;
const MAX_TAG_TEXTS: usize = 20_000;

/// The estimated memory of a tag, or of a string in it, without its text, in bytes.
const TAG_COST: usize = 48;

/// Reason why a text is not a valid event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEvent {
    /// The text is longer than [`MAX_EVENT`] or has too many tags.
    #[error("the event is too large")]
    TooLarge,
    /// The text is not the JSON of an event.
    #[error("this is not an event")]
    Form,
    /// The id is not the hash of the event.
    #[error("the event's id is wrong")]
    Id,
    /// The signature is not valid for the author.
    #[error("the event's signature is wrong")]
    Signature,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fields {
    id: String,
    pubkey: String,
    created_at: u64,
    kind: u16,
    tags: Vec<Vec<String>>,
    content: String,
    sig: String,
}

/// A verified event. `Debug` prints only its kind and id.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    fields: Fields,
    json: String,
}

impl Event {
    /// Parses an event and checks its size, id and signature, in this order. Fields outside NIP-01
    /// are dropped.
    ///
    /// # Errors
    /// [`BadEvent`]. No text causes a panic.
    pub fn read(json: &str) -> Result<Self, BadEvent> {
        if json.len() > MAX_EVENT {
            return Err(BadEvent::TooLarge);
        }
        let fields: Fields = serde_json::from_str(json).map_err(|_| BadEvent::Form)?;
        fields.check_size()?;
        if !is_hex_64(&fields.id) || !is_hex_64(&fields.pubkey) {
            return Err(BadEvent::Form);
        }
        let hash = fields.hash()?;
        if hex::encode(hash) != fields.id {
            return Err(BadEvent::Id);
        }
        let author: XOnlyPublicKey = fields.pubkey.parse().map_err(|_| BadEvent::Signature)?;
        let signature: Signature = fields.sig.parse().map_err(|_| BadEvent::Signature)?;
        SECP256K1
            .verify_schnorr(&signature, &Message::from_digest(hash), &author)
            .map_err(|_| BadEvent::Signature)?;
        Self::whole(fields)
    }

    /// Signs an event with `keys`.
    pub(super) fn sign(
        keys: &Keys,
        kind: u16,
        created_at: u64,
        tags: Vec<Vec<String>>,
        content: String,
    ) -> Result<Self, BadEvent> {
        let pubkey = keys.public_key().to_hex();
        let mut fields = Fields {
            id: String::new(),
            pubkey,
            created_at,
            kind,
            tags,
            content,
            sig: String::new(),
        };
        fields.check_size()?;
        let hash = fields.hash()?;
        fields.id = hex::encode(hash);
        fields.sig = keys.sign_schnorr(&Message::from_digest(hash)).to_string();
        let event = Self::whole(fields)?;
        if event.json.len() > MAX_EVENT { Err(BadEvent::TooLarge) } else { Ok(event) }
    }

    fn whole(fields: Fields) -> Result<Self, BadEvent> {
        let json = serde_json::to_string(&fields).map_err(|_| BadEvent::Form)?;
        Ok(Self { fields, json })
    }

    /// The id, 64 characters of lower-case hex.
    pub fn id(&self) -> &str {
        &self.fields.id
    }

    /// The kind.
    pub fn kind(&self) -> u16 {
        self.fields.kind
    }

    /// The time that the author claims, in Unix seconds.
    pub fn created_at(&self) -> u64 {
        self.fields.created_at
    }

    /// The author's public key, 64 characters of lower-case hex.
    pub fn author(&self) -> &str {
        &self.fields.pubkey
    }

    /// The raw content.
    pub fn content(&self) -> &str {
        &self.fields.content
    }

    /// All tags, in order. A tag may be empty.
    pub fn tags(&self) -> &[Vec<String>] {
        &self.fields.tags
    }

    /// The values (second strings) of all tags with this name.
    pub fn tag_values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.tags_named(name).filter_map(|tag| tag.get(1).map(String::as_str))
    }

    /// All tags with this name.
    pub(super) fn tags_named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [String]> {
        self.fields
            .tags
            .iter()
            .filter(move |tag| tag.first().is_some_and(|first| first == name))
            .map(Vec::as_slice)
    }

    /// The event's JSON as sent to relays; for an event we signed, always the same bytes.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The estimated memory of the event, in bytes.
    pub(super) fn weight(&self) -> usize {
        let texts: usize = self.fields.tags.iter().map(Vec::len).sum();
        self.json
            .len()
            .saturating_mul(2)
            .saturating_add(texts.saturating_add(self.fields.tags.len()).saturating_mul(TAG_COST))
    }
}

impl Fields {
    fn check_size(&self) -> Result<(), BadEvent> {
        let texts: usize = self.tags.iter().map(Vec::len).sum();
        if self.tags.len() > MAX_TAGS || texts > MAX_TAG_TEXTS {
            Err(BadEvent::TooLarge)
        } else {
            Ok(())
        }
    }

    /// Computes the id: the hash of the array that NIP-01 defines.
    fn hash(&self) -> Result<[u8; 32], BadEvent> {
        let said = (0_u8, &self.pubkey, self.created_at, self.kind, &self.tags, &self.content);
        let said = serde_json::to_vec(&said).map_err(|_| BadEvent::Form)?;
        Ok(Sha256::digest(said).into())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({}, {})", self.fields.kind, self.fields.id)
    }
}
