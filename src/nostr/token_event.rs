//! Token events (NIP-60, kind 7375): proofs, encrypted to ourselves.
//!
//! An unreadable event is unknown, never empty. Never tells whether a proof is spent; only the mint
//! knows.

use std::fmt;

use cdk_common::nuts::Proof;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codec::{MAX_PROOFS, ProofOut, is_hex_64, proof};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};

/// The kind of a token event.
pub const KIND: u16 = 7375;

/// The target size for the plaintext of one event, in bytes. The encrypted event stays far below
/// the limits of relays.
pub const TARGET_BYTES: usize = 16 * 1024;

/// The content of a token event.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenEvent {
    /// The mint's URL, as written.
    pub mint: String,
    /// The unit; `sat` if none is written.
    pub unit: String,
    /// The readable proofs.
    pub proofs: Vec<Proof>,
    /// Ids of the token events that this one replaces.
    pub del: Vec<String>,
    /// Number of unreadable proofs.
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

/// Returns the length of the event's plaintext, in bytes.
pub fn plain_len(mint: &str, unit: &str, proofs: &[Proof], del: &[String]) -> usize {
    plain(mint, unit, proofs, del).map_or(usize::MAX, |plain| plain.len())
}

/// Writes a token event. The caller must choose a `created_at` above that of every event in `del`,
/// because other wallets otherwise ignore the deletion.
///
/// # Errors
/// [`Unwritable`] if it is too long to encrypt.
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

/// Reads a token event of ours, in the form of any known wallet. Unreadable proofs are counted.
///
/// # Errors
/// [`Unreadable`]. The event's content is then unknown.
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
