//! Nutzaps (NIP-61, kind 9321): ecash sent over Nostr, locked to its recipient.
//!
//! Reading checks the form and the recipient; only the mint can tell whether the proofs are valid.
//! The comment is raw untrusted text: clean it before display.

use std::fmt;

use cdk_common::nuts::Proof;
use cdk_common::secret::Secret as ProofSecret;
use serde::Deserialize;
use serde_json::Value;

use super::Unwritable;
use super::codec::{ProofOut, is_hex_64, proof, tag, x_only};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::zap::ZapTarget;

/// The kind of a nutzap.
pub const KIND: u16 = 9321;

/// Maximum number of proofs of one nutzap.
pub const MAX_PROOFS: usize = 100;

/// Reason why an event is not a nutzap for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNutzap {
    /// The event has another kind.
    #[error("the event has another kind")]
    Kind,
    /// The recipient is someone else, missing or not the only one.
    #[error("we are not the nutzap's only recipient")]
    Recipient,
    /// The mint is missing or ambiguous, or the unit is ambiguous.
    #[error("the nutzap's mint or unit is missing or ambiguous")]
    Mint,
    /// There is no readable proof, or there are more than [`MAX_PROOFS`].
    #[error("the nutzap has no coins, or too many")]
    Proofs,
    /// A proof has no valid NUT-11 lock.
    #[error("a coin is not locked to a key")]
    NotLocked,
    /// A proof is locked to a key that is not ours.
    #[error("a coin is locked to a key that is not ours")]
    OtherKey,
    /// A proof's lock requires more than our one signature, or others can open it: its locktime has
    /// passed, or it has several keys.
    #[error("a coin's lock has conditions that others control")]
    Conditions,
}

/// A nutzap. `Debug` prints no proofs.
#[derive(Clone, PartialEq, Eq)]
pub struct Nutzap {
    /// The id of its event.
    pub id: String,
    /// The author's public key, 64 characters of hex.
    pub sender: String,
    /// The mint, as written.
    pub mint: String,
    /// The unit; `sat` if none is written.
    pub unit: String,
    /// The readable proofs, without duplicates.
    pub proofs: Vec<Proof>,
    /// The sender's comment, raw.
    pub comment: String,
    /// The id of the zapped event, if there is one.
    pub event: Option<String>,
    /// The time that the sender claims, in Unix seconds.
    pub created_at: u64,
}

impl fmt::Debug for Nutzap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proofs = self.proofs.len();
        f.debug_struct("Nutzap")
            .field("id", &self.id)
            .field("mint", &self.mint)
            .field("proofs", &proofs)
            .finish_non_exhaustive()
    }
}

/// Writes a nutzap. `mint` must be exactly as the recipient wrote it. The proofs keep their DLEQ,
/// with which the recipient verifies them.
///
/// # Errors
/// [`Unwritable`] if the recipient is not a key, there are no proofs or too many, or it is too
/// large.
#[expect(clippy::too_many_arguments, reason = "each is one field of the format")]
pub fn write(
    identity: &Identity,
    recipient: &str,
    mint: &str,
    unit: &str,
    proofs: &[Proof],
    comment: &str,
    zapped: Option<&ZapTarget>,
    created_at: u64,
) -> Result<Event, Unwritable> {
    if x_only(recipient).as_deref() != Some(recipient)
        || proofs.is_empty()
        || proofs.len() > MAX_PROOFS
    {
        return Err(Unwritable);
    }
    let mut tags = Vec::new();
    for proof in proofs {
        tags.push(tag(&[
            "proof",
            &serde_json::to_string(&ProofOut::from(proof)).map_err(|_| Unwritable)?,
        ]));
    }
    tags.extend([tag(&["unit", unit]), tag(&["u", mint]), tag(&["p", recipient])]);
    tags.extend(zapped.map(ZapTarget::tags).unwrap_or_default());
    Ok(identity.sign(UnsignedEvent {
        kind: KIND,
        created_at,
        tags,
        content: comment.to_owned(),
    })?)
}

/// Reads a nutzap for `me`, 64 characters of lower-case hex.
///
/// # Errors
/// [`BadNutzap`].
pub fn read(event: &Event, me: &str) -> Result<Nutzap, BadNutzap> {
    if event.kind() != KIND {
        return Err(BadNutzap::Kind);
    }
    if event.tags_named("p").count() != 1 || event.tag_values("p").next() != Some(me) {
        return Err(BadNutzap::Recipient);
    }
    let mint = only(event, "u").ok_or(BadNutzap::Mint)?;
    let unit = if event.tags_named("unit").next().is_none() {
        "sat"
    } else {
        only(event, "unit").ok_or(BadNutzap::Mint)?
    };
    let written: Vec<&str> = event.tag_values("proof").collect();
    if written.len() > MAX_PROOFS {
        return Err(BadNutzap::Proofs);
    }
    let mut proofs: Vec<Proof> = Vec::new();
    for proof in written.into_iter().filter_map(read_proof) {
        // A proof that appears twice counts once.
        if proofs.iter().all(|known| known.secret != proof.secret) {
            proofs.push(proof);
        }
    }
    if proofs.is_empty() {
        return Err(BadNutzap::Proofs);
    }
    Ok(Nutzap {
        id: event.id().to_owned(),
        sender: event.author().to_owned(),
        mint: mint.to_owned(),
        unit: unit.to_owned(),
        proofs,
        comment: event.content().to_owned(),
        event: event.tag_values("e").find(|id| is_hex_64(id)).map(str::to_owned),
        created_at: event.created_at(),
    })
}

/// The value of the only tag with this name.
fn only<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    let mut tags = event.tags_named(name);
    let value = tags.next()?.get(1)?;
    tags.next().is_none().then_some(value)
}

/// Parses a proof. A DLEQ without its blinding factor cannot be verified, so it is dropped.
fn read_proof(text: &str) -> Option<Proof> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    if value.pointer("/dleq/r").is_none_or(Value::is_null) {
        value.as_object_mut()?.remove("dleq");
    }
    proof(value)
}

/// Returns the tags of a nutzap's lock other than the key: the sender and the zapped event. They
/// remain the same if someone else copies the nutzap.
pub fn lock_tags(sender: &str, event: Option<&str>) -> Vec<Vec<String>> {
    let mut tags = vec![tag(&["P", sender])];
    tags.extend(event.map(|event| tag(&["e", event])));
    tags
}

/// A lock in a secret (NUT-10). A duplicate field is refused, because parsers differ in which one
/// they use.
#[derive(Deserialize)]
struct Written(String, WrittenData);

#[derive(Deserialize)]
struct WrittenData {
    #[serde(rename = "nonce")]
    _nonce: String,
    data: String,
    #[serde(default)]
    tags: Option<Vec<Vec<String>>>,
}

/// The key of ours that opens a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlockingKey {
    /// The index of the key in the given list.
    pub key: usize,
    /// The sender in the lock (`P`), 64 characters of hex. `None` if absent or ambiguous.
    pub sender: Option<String>,
}

/// Finds which of `keys` (x only, 64 characters of lower-case hex) alone opens a proof's lock with
/// one signature at `now` (Unix seconds). A lock that also opens for others later counts as ours
/// until then.
///
/// # Errors
/// [`BadNutzap`] if others can also spend the proof, or we cannot.
pub fn locked_to(
    secret: &ProofSecret,
    keys: &[String],
    now: u64,
) -> Result<UnlockingKey, BadNutzap> {
    let Written(kind, lock) =
        serde_json::from_slice(secret.as_bytes()).map_err(|_| BadNutzap::NotLocked)?;
    if kind != "P2PK" {
        return Err(BadNutzap::NotLocked);
    }
    // A Schnorr signature does not distinguish the two prefixes.
    let data = lock.data.to_ascii_lowercase();
    let x = data
        .strip_prefix("02")
        .or_else(|| data.strip_prefix("03"))
        .filter(|x| is_hex_64(x))
        .ok_or(BadNutzap::NotLocked)?;
    let (mut sender, mut senders) = (None, 0_u32);
    for tag in lock.tags.unwrap_or_default() {
        let (name, values) = tag.split_first().ok_or(BadNutzap::Conditions)?;
        let harmless = match name.as_str() {
            "locktime" => {
                matches!(values, [time] if time.parse().is_ok_and(|time: u64| now < time))
            }
            "n_sigs" => values == ["1"],
            "pubkeys" => values.iter().all(|key| x_only(key).as_deref() == Some(x)),
            "sigflag" => values == ["SIG_INPUTS"],
            "P" => {
                senders = senders.saturating_add(1);
                sender = values.first().and_then(|key| x_only(key));
                true
            }
            // Other tags apply only after the locktime.
            _ => true,
        };
        if !harmless {
            return Err(BadNutzap::Conditions);
        }
    }
    let key = keys.iter().position(|key| key == x).ok_or(BadNutzap::OtherKey)?;
    Ok(UnlockingKey { key, sender: sender.filter(|_| senders == 1) })
}
