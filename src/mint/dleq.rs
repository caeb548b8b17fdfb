//! Checks by DLEQ (NUT-12) that a mint signed a proof received from someone else.
//!
//! A mint calls any proof it does not know unspent. Without a valid DLEQ, only a swap shows that a
//! proof is genuine.

use cdk::nuts::Proof;

use super::Mint;
use super::error::MintError;

/// Result of checking a proof's DLEQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DleqStatus {
    /// The DLEQ is valid: the mint signed the proof.
    Valid,
    /// The proof has no DLEQ.
    Missing,
    /// The DLEQ is invalid, or the keyset has no key for the amount.
    Invalid,
    /// The keyset is not a known sat keyset.
    UnknownKeyset,
}

/// Permission to fetch unknown keys from the mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFetch {
    /// Keys of the keysets the mint has listed may be fetched.
    Allowed,
    /// Only stored keys are used.
    CachedOnly,
}

impl Mint {
    /// Checks the DLEQ of each proof.
    ///
    /// # Errors
    /// If a request fails; with [`KeyFetch::CachedOnly`] only if the store does.
    pub async fn check_dleq(
        &self,
        proofs: &[&Proof],
        fetch: KeyFetch,
    ) -> Result<Vec<DleqStatus>, MintError> {
        let listed =
            if fetch == KeyFetch::Allowed { self.keysets_in_sats().await? } else { Vec::new() };
        let mut statuses = Vec::with_capacity(proofs.len());
        for proof in proofs {
            let keyset = match fetch {
                KeyFetch::CachedOnly => self.known_keyset(proof.keyset_id).await?,
                KeyFetch::Allowed if listed.iter().any(|keyset| keyset.id == proof.keyset_id) => {
                    Some(self.keyset(proof.keyset_id).await?)
                }
                KeyFetch::Allowed => None,
            };
            statuses.push(match keyset.map(|keyset| keyset.keys.amount_key(proof.amount)) {
                None => DleqStatus::UnknownKeyset,
                Some(Some(_)) if proof.dleq.is_none() => DleqStatus::Missing,
                Some(Some(key)) if proof.verify_dleq(key).is_ok() => DleqStatus::Valid,
                Some(_) => DleqStatus::Invalid,
            });
        }
        Ok(statuses)
    }

    /// Returns for each proof whether it may be this mint's: its keyset has a key for its amount,
    /// and its DLEQ, if present, is valid. Asks the mint if a keyset is not known.
    ///
    /// # Errors
    /// If a request fails.
    pub async fn may_be_genuine(&self, proofs: &[&Proof]) -> Result<Vec<bool>, MintError> {
        let mut statuses = self.check_dleq(proofs, KeyFetch::Allowed).await?;
        if statuses.contains(&DleqStatus::UnknownKeyset) {
            self.refresh_keysets().await?;
            statuses = self.check_dleq(proofs, KeyFetch::Allowed).await?;
        }
        Ok(statuses
            .iter()
            .map(|status| matches!(status, DleqStatus::Valid | DleqStatus::Missing))
            .collect())
    }
}
