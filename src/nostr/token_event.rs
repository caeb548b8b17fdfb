//! Coins on a relay (NIP-60, kind 7375), sealed to ourselves.
//!
//! An event that cannot be read is unknown, never empty. Says nothing about whether its coins are
//! spent: only the mint does.

use std::fmt;

use cdk_common::nuts::Proof;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codec::{MAX_PROOFS, ProofOut, is_hex_64, proof};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};

/// The kind of it.
pub const KIND: u16 = 7375;

/// How long the plaintext of one event should be at most, in bytes: sealed it stays far below what
/// relays take.
pub const TARGET_BYTES: usize = 16 * 1024;

/// What one event holds.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenEvent {
    /// The mint's address, as it was written.
    pub mint: String,
    /// The unit; `sat` where none was written.
    pub unit: String,
    /// The coins that could be read.
    pub proofs: Vec<Proof>,
    /// Ids of events of this kind that this one stands for.
    pub del: Vec<String>,
    /// How many coins could not be read.
    pub unreadable_proofs: usize,
}

impl fmt::Debug for TokenEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proofs = self.proofs.len();
        f.debug_struct("TokenEvent")
            .field("mint", &self.mint)
            .field("unit", &self.unit)
            .field("proofs", &proofs)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct TokenJsonOut<'a> {
    mint: &'a str,
    unit: &'a str,
    proofs: Vec<ProofOut<'a>>,
    del: &'a [String],
}

#[derive(Deserialize)]
struct TokenJson {
    #[serde(default)]
    mint: Option<String>,
    #[serde(default)]
    unit: Option<String>,
    proofs: Vec<Value>,
    #[serde(default)]
    del: Option<Vec<Value>>,
}

fn plain(
    mint: &str,
    unit: &str,
    proofs: &[Proof],
    del: &[String],
) -> Option<zeroize::Zeroizing<String>> {
    let out = TokenJsonOut { mint, unit, proofs: proofs.iter().map(ProofOut::from).collect(), del };
    serde_json::to_string(&out).ok().map(zeroize::Zeroizing::new)
}

/// How long the plaintext of such an event is, in bytes.
pub fn plain_len(mint: &str, unit: &str, proofs: &[Proof], del: &[String]) -> usize {
    plain(mint, unit, proofs, del).map_or(usize::MAX, |plain| plain.len())
}

/// Writes coins. The caller sees to it that `created_at` lies above that of every event in `del`:
/// other wallets pass over one that does not.
///
/// # Errors
/// When it is too long to be sealed.
pub fn write(
    identity: &Identity,
    mint: &str,
    unit: &str,
    proofs: &[Proof],
    del: &[String],
    created_at: u64,
) -> Result<Event, Unwritable> {
    let plain = plain(mint, unit, proofs, del).ok_or(Unwritable)?;
    let content = identity.encrypt(&plain)?;
    Ok(identity.sign(UnsignedEvent { kind: KIND, created_at, tags: Vec::new(), content })?)
}

/// Reads coins of our own, in the form of any wallet we know. Coins that cannot be read are
/// counted, not dropped in silence.
///
/// # Errors
/// [`Unreadable`]: then nothing is known of what it holds.
pub fn read(identity: &Identity, event: &Event) -> Result<TokenEvent, Unreadable> {
    let plain = super::open_own(identity, event, KIND)?;
    let inside: TokenJson = serde_json::from_str(&plain).map_err(|_| Unreadable::Form)?;
    let mint = inside
        .mint
        .or_else(|| event.tag_values("mint").next().map(str::to_owned))
        .ok_or(Unreadable::Form)?;
    if inside.proofs.len() > MAX_PROOFS {
        return Err(Unreadable::TooMuch);
    }
    let written = inside.proofs.len();
    let proofs: Vec<Proof> = inside.proofs.into_iter().filter_map(proof).collect();
    let sealed = inside.del.unwrap_or_default();
    let mut del: Vec<String> = Vec::new();
    for id in sealed.iter().filter_map(Value::as_str).chain(event.tag_values("del")) {
        if is_hex_64(id) && !del.iter().any(|known| known == id) {
            del.push(id.to_owned());
        }
    }
    let unreadable_proofs = written.saturating_sub(proofs.len());
    Ok(TokenEvent {
        mint,
        unit: inside.unit.unwrap_or_else(|| "sat".to_owned()),
        proofs,
        del,
        unreadable_proofs,
    })
}
