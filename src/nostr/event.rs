//! An event (NIP-01) whose id and signature were checked.
//!
//! There is no other way to get one than to read or to sign it, so whoever holds one need not check
//! again. Says nothing about who may have written it, nor about when: both are the caller's
//! question.

use std::fmt;

use nostr::secp256k1::schnorr::Signature;
use nostr::secp256k1::{Message, XOnlyPublicKey};
use nostr::{Keys, SECP256K1};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::codec::is_hex_64;

/// The longest event that is read, in bytes.
pub const MAX_EVENT: usize = 512 * 1024;

/// The most tags an event may have, and the most texts in all of them: each costs memory even when
/// it is empty.
const MAX_TAGS: usize = 8_000;
const MAX_TAG_TEXTS: usize = 20_000;

/// What a tag and a text in it cost beside their letters, in bytes.
const TAG_COST: usize = 48;

/// Why a text is not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEvent {
    /// Longer than [`MAX_EVENT`], or more tags than are taken in.
    #[error("the event is too large")]
    TooLarge,
    /// Not the JSON of an event.
    #[error("this is no event")]
    Form,
    /// Its id is not the hash of what it says.
    #[error("the event's id is wrong")]
    Id,
    /// Its author did not sign it.
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

/// A checked event. `Debug` prints its kind and id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    fields: Fields,
    json: String,
}

impl Event {
    /// Reads an event and checks its size, its id and its signature, in this order. Fields that
    /// NIP-01 does not know are dropped.
    ///
    /// # Errors
    /// [`BadEvent`]; never a panic, whatever the text.
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

    /// Signs what `keys` has to say.
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

    /// 64 letters of lower-case hex.
    pub fn id(&self) -> &str {
        &self.fields.id
    }

    /// Its kind.
    pub fn kind(&self) -> u16 {
        self.fields.kind
    }

    /// When its author says it was made, in Unix seconds.
    pub fn created_at(&self) -> u64 {
        self.fields.created_at
    }

    /// Its author's public key, 64 letters of lower-case hex.
    pub fn author(&self) -> &str {
        &self.fields.pubkey
    }

    /// Its content, as it was written.
    pub fn content(&self) -> &str {
        &self.fields.content
    }

    /// All its tags, in order. A tag may be empty.
    pub fn tags(&self) -> &[Vec<String>] {
        &self.fields.tags
    }

    /// The second texts of all tags of this name.
    pub fn tag_values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.tags_named(name).filter_map(|tag| tag.get(1).map(String::as_str))
    }

    /// All tags of this name.
    pub(super) fn tags_named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [String]> {
        self.fields
            .tags
            .iter()
            .filter(move |tag| tag.first().is_some_and(|first| first == name))
            .map(Vec::as_slice)
    }

    /// The event as relays take it. For one we signed, the same letters every time.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// What it costs to keep, in bytes, roughly.
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

    /// What the id is: the hash of the array that NIP-01 asks for.
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
