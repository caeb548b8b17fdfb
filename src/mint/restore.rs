//! Restores what a mint has signed for a seed (NUT-09, NUT-13). The signatures do not say whether
//! the proofs are spent.
//!
//! Accepts only exact answers: each signature belongs to one output asked about and fits a key of
//! the keyset. Never writes to the store; the wallet records what is found.

use std::collections::HashMap;
use std::sync::Arc;

use cdk::dhke::construct_proofs;
use cdk::nuts::{
    BlindSignature, CurrencyUnit, Id, KeySet, PreMint, PreMintSecrets, PublicKey, RestoreRequest,
    RestoreResponse, State,
};
use cdk_common::wallet::ProofInfo;

use super::error::MintError;
use super::{Mint, Seed};

/// Number of outputs in one request.
pub const BATCH: u32 = 100;
/// Number of consecutive counters without a signature that ends the search of a keyset.
pub const GAP: u32 = 300;

/// Proofs found by one request.
#[derive(Clone, Debug)]
pub struct RestoreBatch {
    /// The proofs, marked unspent; their states have to be asked for (NUT-07).
    pub proofs: Vec<ProofInfo>,
    /// One above the highest signed counter. `None`: none is signed.
    pub next: Option<u32>,
}

/// A keyset to search.
#[derive(Clone, Debug)]
pub struct RestoreKeyset(Arc<KeySet>);

impl RestoreKeyset {
    /// Returns the keyset's id.
    pub fn id(&self) -> Id {
        self.0.id
    }
}

impl Mint {
    /// Fetches all sat keysets of the mint, active or not.
    ///
    /// # Errors
    /// If a request fails; stored keysets are not used instead.
    pub async fn restore_keysets(&self) -> Result<Vec<RestoreKeyset>, MintError> {
        let mut found = Vec::new();
        for listed in self
            .fetch_keysets()
            .await?
            .into_iter()
            .filter(|listed| listed.unit == CurrencyUnit::Sat)
        {
            found.push(RestoreKeyset(self.keyset(listed.id).await?));
        }
        Ok(found)
    }

    /// Asks what was signed for a seed at the [`BATCH`] counters from `from`.
    ///
    /// # Errors
    /// If the request fails. [`MintError::Wrong`] if the answer is not exact; all of it is then
    /// rejected.
    ///
    /// # Cancel safety
    /// Safe to drop: it only asks.
    pub async fn restore_batch(
        &self,
        seed: &Seed,
        keyset: &RestoreKeyset,
        from: u32,
    ) -> Result<RestoreBatch, MintError> {
        let KeySet { id, keys, .. } = &*keyset.0;
        let asked =
            PreMintSecrets::restore_batch(*id, seed.bytes(), from, from.saturating_add(BATCH))
                .map_err(wrong)?;
        let told =
            self.client.restore(&RestoreRequest { outputs: asked.blinded_messages() }).await?;
        let matched = matched(&asked.secrets, told)?;
        for (output, signature) in &matched {
            if signature.keyset_id != *id {
                return Err(MintError::Wrong("a signature is from a different keyset".to_owned()));
            }
            let key = keys
                .amount_key(signature.amount)
                .ok_or_else(|| MintError::Wrong("no such key".to_owned()))?;
            if signature.dleq.is_some() {
                signature.verify_dleq(key, output.blinded_message.blinded_secret).map_err(wrong)?;
            }
        }
        let next = matched
            .iter()
            .filter_map(|(output, _)| output.derivation_index)
            .max()
            .map(|last| last.saturating_add(1));
        let (rs, secrets) =
            matched.iter().map(|(output, _)| (output.r.clone(), output.secret.clone())).unzip();
        let signatures = matched.iter().map(|(_, signature)| signature.clone()).collect();
        let unblinded = construct_proofs(signatures, rs, secrets, keys).map_err(wrong)?;
        let mut proofs = Vec::with_capacity(unblinded.len());
        for (proof, (output, _)) in unblinded.into_iter().zip(&matched) {
            let info =
                ProofInfo::new(proof, self.client.url().clone(), State::Unspent, CurrencyUnit::Sat)
                    .map_err(wrong)?;
            proofs.push(
                output.derivation_index.into_iter().fold(info, ProofInfo::with_derivation_index),
            );
        }
        Ok(RestoreBatch { proofs, next })
    }
}

/// Pairs each signature with its output by blinded point, in the order asked.
fn matched(
    asked: &[PreMint],
    told: RestoreResponse,
) -> Result<Vec<(&PreMint, BlindSignature)>, MintError> {
    if told.outputs.len() != told.signatures.len() {
        return Err(MintError::Wrong("not one signature per output".to_owned()));
    }
    let count = told.outputs.len();
    let points = told.outputs.into_iter().map(|output| output.blinded_secret);
    let mut by_point: HashMap<PublicKey, BlindSignature> = points.zip(told.signatures).collect();
    let mut matched = Vec::with_capacity(by_point.len());
    for output in asked {
        if let Some(signature) = by_point.remove(&output.blinded_message.blinded_secret) {
            matched.push((output, signature));
        }
    }
    // An output that was not asked about or is repeated leaves a difference.
    if matched.len() == count {
        Ok(matched)
    } else {
        Err(MintError::Wrong("the answer contains outputs that were not asked about".to_owned()))
    }
}

fn wrong(error: impl std::fmt::Display) -> MintError {
    MintError::Wrong(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cdk::amount::Amount;
    use cdk::nuts::{BlindedMessage, SecretKey};

    use super::*;

    fn signature() -> BlindSignature {
        let keyset_id = Id::from_str("00916bbf7ef91a36").unwrap();
        BlindSignature {
            amount: Amount::from(1),
            keyset_id,
            c: SecretKey::generate().public_key(),
            dleq: None,
        }
    }

    fn told(outputs: Vec<BlindedMessage>) -> RestoreResponse {
        let signatures = outputs.iter().map(|_| signature()).collect();
        RestoreResponse { outputs, signatures }
    }

    #[test]
    fn only_an_exact_answer_is_taken() {
        let id = Id::from_str("00916bbf7ef91a36").unwrap();
        let asked = PreMintSecrets::restore_batch(id, &[7; 64], 0, 5).unwrap();
        let others = PreMintSecrets::restore_batch(id, &[8; 64], 0, 1).unwrap().blinded_messages();
        let ours = asked.blinded_messages();
        let part = vec![ours[3].clone(), ours[1].clone()];
        let found = matched(&asked.secrets, told(part)).unwrap();
        assert_eq!(
            found.iter().map(|(output, _)| output.derivation_index).collect::<Vec<_>>(),
            [Some(1), Some(3)]
        );
        assert!(matched(&asked.secrets, told(Vec::new())).is_ok_and(|none| none.is_empty()));
        let foreign = [ours.clone(), others].concat();
        let twice = vec![ours[0].clone(), ours[0].clone()];
        let unequal = RestoreResponse { signatures: vec![signature()], ..told(ours) };
        for wrong in [told(foreign), told(twice), unequal] {
            assert!(matches!(matched(&asked.secrets, wrong), Err(MintError::Wrong(_))));
        }
    }
}
