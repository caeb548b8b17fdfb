//! Whether a mint has signed a proof that somebody else brings, by its DLEQ (NUT-12).
//!
//! A mint calls any proof that it does not know unspent, so without a valid DLEQ only a swap shows
//! that a proof is genuine.

use cdk::nuts::Proof;

use super::Mint;
use super::error::MintError;

/// Whether a proof's DLEQ shows that a mint signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DleqStatus {
    /// The DLEQ holds: the mint signed the proof.
    Valid,
    /// The proof comes without a DLEQ.
    Missing,
    /// The DLEQ is wrong, or the keyset has no key for the amount.
    Invalid,
    /// The keyset is none in sats that is known.
    UnknownKeyset,
}

/// Whether the mint may be asked for keys that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFetch {
    /// For the keysets that it has listed.
    Allowed,
    /// Only keys that are stored already are used.
    CachedOnly,
}

impl Mint {
    /// Checks the DLEQ of each proof.
    ///
    /// # Errors
    /// As the mint says; none of its own where it is not asked.
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

    /// Whether each proof may be this mint's: its keyset and amount have a key, and its DLEQ, if it
    /// has one, holds. Asks the mint where a keyset is not known yet.
    ///
    /// # Errors
    /// As the mint says.
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
