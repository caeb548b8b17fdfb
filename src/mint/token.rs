//! Tokens: proofs as text (NUT-00).
//!
//! Parsing one contacts nobody.

use cdk::mint_url::MintUrl;
use cdk::nuts::nut10::Secret as Nut10Secret;
use cdk::nuts::{CurrencyUnit, KeySetInfo, Kind, Proof, Proofs, PublicKey, SecretKey, Token};
use cdk_common::bitcoin::hashes::{Hash, sha256};
use cdk_common::secret::Secret as ProofSecret;
use cdk_common::wallet::ProofInfo;
use std::collections::BTreeSet;
use std::str::FromStr;

use super::Mint;
use super::error::MintError;
use crate::model::mint::MintAddress;
use crate::model::money::Unit;
use crate::model::secret::Secret;

/// Maximum length of a token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 1_000_000;

/// Maximum number of proofs in a token: the most that a mint accepts as inputs of one swap.
pub const MAX_TOKEN_PROOFS: usize = 500;

/// Maximum length of one proof's secret, in bytes. cdk and Nutshell reject longer ones with a code
/// that is not decisive.
const MAX_SECRET_BYTES: usize = 1_024;

/// Reason why a text is not a usable token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not parsable.
    #[error("not a readable Cashu token")]
    Unreadable,
    /// No proofs, or no value.
    #[error("the token contains no coins")]
    Empty,
    /// Too long, or too many proofs.
    #[error("the token is too large for one swap")]
    TooLarge,
    /// A proof occurs twice.
    #[error("the token contains a coin twice")]
    Repeats,
    /// The mint's address is invalid, or there is more than one mint.
    #[error("the token does not name exactly one mint")]
    Mint,
}

/// A parsed token; its mint has not been asked.
#[derive(Clone, Debug)]
pub struct ParsedToken {
    /// The token's mint.
    pub mint: MintAddress,
    /// The token's unit.
    pub unit: Unit,
    /// Face value, in the unit.
    pub amount: u64,
    /// The sender's memo, not cleaned.
    pub memo: Option<String>,
    /// SHA-256 of the sorted secrets, hex; equal for equal proofs.
    pub digest: String,
    token: Token,
}

/// Parses a token.
///
/// # Errors
/// [`TokenError`]; nobody was contacted.
pub fn read(text: &str) -> Result<ParsedToken, TokenError> {
    let text = text.trim();
    let text = text.strip_prefix("cashu:").unwrap_or(text);
    if text.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge);
    }
    let token = Token::from_str(text).map_err(|_| TokenError::Unreadable)?;
    let mint = token.mint_url().map_err(|_| TokenError::Mint)?;
    let mint = MintAddress::from_str(&mint.to_string()).map_err(|_| TokenError::Mint)?;
    let secrets = token.token_secrets();
    if secrets.is_empty() {
        return Err(TokenError::Empty);
    }
    let too_long = secrets.iter().any(|secret| secret.as_bytes().len() > MAX_SECRET_BYTES);
    if secrets.len() > MAX_TOKEN_PROOFS || too_long {
        return Err(TokenError::TooLarge);
    }
    let texts: BTreeSet<String> = secrets.iter().map(ToString::to_string).collect();
    if texts.len() != secrets.len() {
        return Err(TokenError::Repeats);
    }
    let digest = digest_of(&secrets);
    let amount = token.value().map_err(|_| TokenError::Unreadable)?.to_u64();
    if amount == 0 {
        return Err(TokenError::Empty);
    }
    let unit = Unit::new(&token.unit().unwrap_or(CurrencyUnit::Sat).to_string());
    let memo = token.memo().clone();
    Ok(ParsedToken { mint, unit, amount, memo, digest, token })
}

impl ParsedToken {
    /// Returns the secrets of the locked proofs (NUT-10).
    pub fn locks(&self) -> Vec<ProofSecret> {
        self.token.token_secrets().into_iter().filter(|secret| is_locked(secret)).cloned().collect()
    }
}

/// Returns whether the secret is a lock (NUT-10), which needs a signature or a preimage.
pub fn is_locked(secret: &ProofSecret) -> bool {
    Nut10Secret::try_from(secret.clone())
        .is_ok_and(|nut10| matches!(nut10.kind(), Kind::P2PK | Kind::HTLC))
}

/// Returns the digest of a set of proofs: SHA-256 of the sorted secrets, hex.
pub fn digest_of(secrets: &[&ProofSecret]) -> String {
    let texts: BTreeSet<String> = secrets.iter().map(ToString::to_string).collect();
    let mut all = Vec::new();
    for text in &texts {
        all.extend_from_slice(&(text.len() as u64).to_be_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    sha256::Hash::hash(&all).to_string()
}

/// Parses a public key to lock to: 66 hex characters, or 64 of an x-only key.
///
/// # Errors
/// [`TokenError::Unreadable`].
pub fn read_lock(text: &str) -> Result<String, TokenError> {
    let text = text.trim().to_lowercase();
    let text = if text.len() == 64 { format!("02{text}") } else { text };
    PublicKey::from_hex(&text).map(|key| key.to_hex()).map_err(|_| TokenError::Unreadable)
}

/// Signs a proof locked to this key (NUT-11), replacing its witness. `key` is 64 hex characters;
/// `false`: it is not a valid key.
pub fn sign_p2pk(proof: &mut Proof, key: &Secret) -> bool {
    proof.witness = None;
    SecretKey::from_str(key.reveal()).is_ok_and(|key| proof.sign_p2pk(key).is_ok())
}

/// Drops the witnesses: an unlocked proof needs none, and one may be of any size.
fn without_witness(mut proofs: Proofs) -> Proofs {
    proofs.iter_mut().for_each(|proof| proof.witness = None);
    proofs
}

impl Mint {
    /// Returns the proofs of a token of this mint. Fetches the keysets once if one is unknown.
    ///
    /// # Errors
    /// If a request fails; [`MintError::Refused`] with code 0 if a keyset is not this mint's.
    pub async fn token_proofs(&self, incoming: &ParsedToken) -> Result<Proofs, MintError> {
        let read = |keysets: &[KeySetInfo]| incoming.token.proofs(keysets).map(without_witness);
        if let Ok(proofs) = read(&self.keysets_in_sats().await?) {
            return Ok(proofs);
        }
        self.refresh_keysets().await?;
        read(&self.keysets_in_sats().await?)
            .map_err(|_| MintError::Refused { code: 0, reason: "unknown keyset".to_owned() })
    }

    /// Writes proofs as a token.
    pub fn write_token(&self, proofs: &[ProofInfo], memo: Option<String>) -> Secret {
        let proofs = proofs.iter().map(|info| info.proof.clone()).collect();
        let url: MintUrl = self.client.url().clone();
        Secret::new(Token::new(url, proofs, memo, CurrencyUnit::Sat).to_string())
    }
}
