//! Ecash sent over Nostr (NIP-61, kind 9321), locked to its recipient.
//!
//! Reading one says that it is well formed and whom it names; whether its coins are good only the
//! mint's keys and the mint can say. The comment is a stranger's raw words: clean before showing.

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

/// The kind of it.
pub const KIND: u16 = 9321;

/// The most coins of one nutzap.
pub const MAX_PROOFS: usize = 100;

/// Why an event is no nutzap for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNutzap {
    /// Of another kind.
    #[error("the event is of another kind")]
    Kind,
    /// It names somebody else, nobody, or several.
    #[error("the nutzap is not for us alone")]
    Recipient,
    /// It names no mint, or several; or several units.
    #[error("the nutzap does not say of which mint and unit it is")]
    Mint,
    /// No coin that can be read, or more than [`MAX_PROOFS`].
    #[error("the nutzap has no coins, or too many")]
    Proofs,
    /// A coin is not locked, or not by NUT-11.
    #[error("a coin is not locked to a key")]
    NotLocked,
    /// A coin is locked to a key that is not among ours.
    #[error("a coin is locked to a key that is not ours")]
    OtherKey,
    /// A coin's lock asks for more than one signature of ours, or is open to others: its time has
    /// passed, or it names several keys.
    #[error("a coin's lock has conditions that others control")]
    Conditions,
}

/// A nutzap. `Debug` prints no coins.
#[derive(Clone, PartialEq, Eq)]
pub struct Nutzap {
    /// Its event's id.
    pub id: String,
    /// Who signed it, 64 letters of hex.
    pub sender: String,
    /// The mint, as written.
    pub mint: String,
    /// The unit; `sat` where none was written.
    pub unit: String,
    /// The coins that could be read, each once.
    pub proofs: Vec<Proof>,
    /// The sender's words.
    pub comment: String,
    /// The event it is for, if it is for one.
    pub event: Option<String>,
    /// When its sender says it was made, in Unix seconds.
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

/// Writes a nutzap. `mint` stands as the recipient wrote it; each coin keeps its DLEQ, by which the
/// recipient checks it.
///
/// # Errors
/// When the recipient is no key, there are no coins or too many, or it is too large.
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

/// Reads a nutzap for `me`, 64 letters of lower-case hex.
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
        // One coin named twice is one coin.
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

/// The value of the only tag of this name.
fn only<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    let mut tags = event.tags_named(name);
    let value = tags.next()?.get(1)?;
    tags.next().is_none().then_some(value)
}

/// A coin as it was written. A DLEQ without its blinding factor proves nothing, and is as none.
fn read_proof(text: &str) -> Option<Proof> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    if value.pointer("/dleq/r").is_none_or(Value::is_null) {
        value.as_object_mut()?.remove("dleq");
    }
    proof(value)
}

/// What the lock of a nutzap's coins says beside its key: who sends them, and for which event. A
/// copy of the nutzap by somebody else says the same.
pub fn lock_tags(sender: &str, event: Option<&str>) -> Vec<Vec<String>> {
    let mut tags = vec![tag(&["P", sender])];
    tags.extend(event.map(|event| tag(&["e", event])));
    tags
}

/// A secret that is a lock (NUT-10). A field named twice is refused: readers differ in which of the
/// two counts.
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
    /// The place of the key among those that were given.
    pub key: usize,
    /// Whom the lock names as its sender (`P`), 64 letters of hex. `None`: nobody, or several.
    pub sender: Option<String>,
}

/// Which of `keys` (x only, 64 letters of lower-case hex) opens a coin of this secret at `now`
/// (Unix seconds): that key alone, by one signature. A lock that will open for others later is ours
/// to open until then.
///
/// # Errors
/// [`BadNutzap`]: anybody else may spend it as well, or we cannot.
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
    // A signature knows no difference between the two.
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
            // What is for after the time counts only after it.
            _ => true,
        };
        if !harmless {
            return Err(BadNutzap::Conditions);
        }
    }
    let key = keys.iter().position(|key| key == x).ok_or(BadNutzap::OtherKey)?;
    Ok(UnlockingKey { key, sender: sender.filter(|_| senders == 1) })
}
