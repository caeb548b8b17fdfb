//! Tokens: coins as text (NUT-00).
//!
//! Reading one contacts nobody, whatever mint it names.

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

/// The longest token we read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 1_000_000;

/// The most coins one token may hold: what a mint takes as inputs of one swap, at most.
pub const MAX_TOKEN_PROOFS: usize = 500;

/// The longest secret of one coin. cdk and Nutshell take no longer one, and answer with a code that
/// decides nothing.
const MAX_SECRET_BYTES: usize = 1_024;

/// Why a text is no token for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("not a Cashu token that can be read")]
    Unreadable,
    /// It holds nothing.
    #[error("the token holds no coins")]
    Empty,
    /// Too long, or too many coins.
    #[error("the token is larger than one swap can be")]
    TooLarge,
    /// The same coin twice.
    #[error("the token names a coin twice")]
    Repeats,
    /// Its mint's address cannot be read, or it names more than one mint.
    #[error("the token does not name one mint")]
    Mint,
}

/// A token as read, before its mint is asked anything.
#[derive(Clone, Debug)]
pub struct ParsedToken {
    /// The mint it names.
    pub mint: MintAddress,
    /// Its unit.
    pub unit: Unit,
    /// Its face value in its unit.
    pub amount: u64,
    /// A stranger's words.
    pub memo: Option<String>,
    /// SHA-256 over its sorted secrets, hex: the same coins have the same digest.
    pub digest: String,
    token: Token,
}

/// Reads a token.
///
/// # Errors
/// [`TokenError`]; nothing was contacted.
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
    /// The secrets of those coins in the token that are locked (NUT-10).
    pub fn locks(&self) -> Vec<ProofSecret> {
        self.token.token_secrets().into_iter().filter(|secret| is_locked(secret)).cloned().collect()
    }
}

/// Whether the secret is a lock (NUT-10), so that a coin needs a signature or a preimage to be
/// spent.
pub fn is_locked(secret: &ProofSecret) -> bool {
    Nut10Secret::try_from(secret.clone())
        .is_ok_and(|nut10| matches!(nut10.kind(), Kind::P2PK | Kind::HTLC))
}

/// Names a set of coins: SHA-256 over their sorted secrets, hex.
pub fn digest_of(secrets: &[&ProofSecret]) -> String {
    let texts: BTreeSet<String> = secrets.iter().map(ToString::to_string).collect();
    let mut all = Vec::new();
    for text in &texts {
        all.extend_from_slice(&(text.len() as u64).to_be_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    sha256::Hash::hash(&all).to_string()
}

/// A public key to lock to: 66 hex characters, or 64 of an x-only key.
///
/// # Errors
/// [`TokenError::Unreadable`].
pub fn read_lock(text: &str) -> Result<String, TokenError> {
    let text = text.trim().to_lowercase();
    let text = if text.len() == 64 { format!("02{text}") } else { text };
    PublicKey::from_hex(&text).map(|key| key.to_hex()).map_err(|_| TokenError::Unreadable)
}

/// Signs for a proof that is locked to this key (NUT-11), 64 letters of hex, in place of its
/// witness. `false`: the key is none.
pub fn sign_p2pk(proof: &mut Proof, key: &Secret) -> bool {
    proof.witness = None;
    SecretKey::from_str(key.reveal()).is_ok_and(|key| proof.sign_p2pk(key).is_ok())
}

/// Drops the witnesses: a proof without a lock needs none, and one may be of any size.
fn without_witness(mut proofs: Proofs) -> Proofs {
    proofs.iter_mut().for_each(|proof| proof.witness = None);
    proofs
}

impl Mint {
    /// The coins of a token that names this mint. Refreshes the keysets once when it knows too few.
    ///
    /// # Errors
    /// As the mint says; [`MintError::Refused`] with code 0 when the coins are of no keyset of this
    /// mint.
    pub async fn token_proofs(&self, incoming: &ParsedToken) -> Result<Proofs, MintError> {
        let read = |keysets: &[KeySetInfo]| incoming.token.proofs(keysets).map(without_witness);
        if let Ok(proofs) = read(&self.keysets_in_sats().await?) {
            return Ok(proofs);
        }
        self.refresh_keysets().await?;
        read(&self.keysets_in_sats().await?)
            .map_err(|_| MintError::Refused { code: 0, reason: "unknown keyset".to_owned() })
    }

    /// Coins of ours as a token.
    pub fn write_token(&self, proofs: &[ProofInfo], memo: Option<String>) -> Secret {
        let proofs = proofs.iter().map(|info| info.proof.clone()).collect();
        let url: MintUrl = self.client.url().clone();
        Secret::new(Token::new(url, proofs, memo, CurrencyUnit::Sat).to_string())
    }
}
