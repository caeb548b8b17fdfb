//! Shared parts of the formats: hex, tags, and proofs as NIP-60 and NIP-61 write them.
//!
//! Never decides whether a proof is valid.

use cdk_common::nuts::{Proof, ProofDleq, PublicKey};
use serde::Serialize;
use serde_json::Value;

use crate::model::money::MAX_SATS;

/// Maximum number of proofs of one event.
pub(super) const MAX_PROOFS: usize = 1_000;

/// Maximum length of a proof's secret, in bytes.
const MAX_SECRET: usize = 1_024;

/// Returns `true` for 64 characters of lower-case hex.
pub(super) fn is_hex_64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Converts a public key of 64 (x only) or 66 (compressed) characters to its 64 characters.
pub(super) fn x_only(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let x = match lower.len() {
        64 => lower.as_str(),
        66 => lower.strip_prefix("02").or_else(|| lower.strip_prefix("03"))?,
        _ => return None,
    };
    let on_curve = x.parse::<nostr::secp256k1::XOnlyPublicKey>().is_ok();
    (is_hex_64(x) && on_curve).then(|| x.to_owned())
}

/// Parses a plaintext that is a list of lists of strings. Other members are dropped.
pub(super) fn lists(plain: &str) -> Option<Vec<Vec<String>>> {
    let Value::Array(lists) = serde_json::from_str(plain).ok()? else { return None };
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let list = |value| match value {
        Value::Array(texts) => texts.into_iter().map(text).collect::<Option<Vec<String>>>(),
        _ => None,
    };
    Some(lists.into_iter().filter_map(list).collect())
}

pub(super) fn tag(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A proof in its written form: first the fields that every wallet reads, and never a witness,
/// which is only made when the proof is spent.
#[derive(Serialize)]
pub(super) struct ProofOut<'a> {
    id: String,
    amount: u64,
    secret: &'a cdk_common::secret::Secret,
    #[serde(rename = "C")]
    c: PublicKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    dleq: Option<&'a ProofDleq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p2pk_e: Option<PublicKey>,
}

impl<'a> From<&'a Proof> for ProofOut<'a> {
    fn from(proof: &'a Proof) -> Self {
        Self {
            id: proof.keyset_id.to_string(),
            amount: proof.amount.to_u64(),
            secret: &proof.secret,
            c: proof.c,
            dleq: proof.dleq.as_ref(),
            p2pk_e: proof.p2pk_e,
        }
    }
}

/// Parses a proof of a valid form. Drops extra fields; an invalid DLEQ makes the whole proof
/// unreadable.
pub(super) fn proof(value: Value) -> Option<Proof> {
    let mut proof: Proof = serde_json::from_value(value).ok()?;
    let amount = proof.amount.to_u64();
    proof.witness = None;
    let fits = amount.is_power_of_two()
        && amount <= MAX_SATS
        && !proof.secret.is_empty()
        && proof.secret.len() <= MAX_SECRET;
    fits.then_some(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case() {
        assert!(is_hex_64(&"0f".repeat(32)) && !is_hex_64(&"0F".repeat(32)) && !is_hex_64("0f"));
    }

    #[test]
    fn a_key_has_one_short_form() {
        let x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        for text in [x.to_owned(), format!("02{x}"), format!("03{x}"), x.to_uppercase()] {
            assert_eq!(x_only(&text).as_deref(), Some(x));
        }
        for text in ["", "02", &format!("04{x}"), &"f".repeat(64), &"0".repeat(64)] {
            assert_eq!(x_only(text), None, "{text}");
        }
    }
}
