//! Coins locked to a key of ours (NUT-11), as nutzaps bring them (NIP-61): proven to be this mint's, then signed for.
//!
//! Never trusts a coin for looking right: without the mint's proof (NUT-12) a stranger's coin is nothing, since a mint calls any unknown
//! coin unspent.

use std::str::FromStr;

use cdk::nuts::{Proof, SecretKey};

use super::error::MintError;
use super::{Coins, Mint};
use crate::model::secret::Secret;

/// Why a locked coin is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnlocked {
    /// Of no keyset of this mint in sats, or of an amount that the keyset has no key for.
    #[error("a coin is of no keyset of this mint in sats")]
    Keyset,
    /// It comes without the mint's proof, or with one that does not hold.
    #[error("a coin is not proven to be this mint's")]
    Proof,
    /// Our key is none.
    #[error("the key cannot be used")]
    Key,
    /// The mint was asked for its keysets and did not answer.
    #[error("the mint did not answer")]
    Mint(#[from] MintError),
}

impl Mint {
    /// The coins, each signed for with the key beside it, without what a mint need not see. Requests only where a keyset is not known yet.
    ///
    /// # Errors
    /// [`NotUnlocked`]; nothing moved.
    pub async fn unlock(&self, coins: Coins, keys: &[Secret]) -> Result<Coins, NotUnlocked> {
        let mut signed = Vec::with_capacity(coins.len());
        for (mut coin, key) in coins.into_iter().zip(keys) {
            if self.keysets_in_sats().await?.iter().all(|keyset| keyset.id != coin.keyset_id) {
                return Err(NotUnlocked::Keyset);
            }
            let keyset = self.keyset(coin.keyset_id).await?;
            let of_amount = keyset.keys.amount_key(coin.amount).ok_or(NotUnlocked::Keyset)?;
            coin.verify_dleq(of_amount).map_err(|_| NotUnlocked::Proof)?;
            coin.witness = None;
            coin.sign_p2pk(SecretKey::from_str(key.reveal()).map_err(|_| NotUnlocked::Key)?).map_err(|_| NotUnlocked::Key)?;
            coin.dleq = None;
            signed.push(coin);
        }
        Ok(signed)
    }

    /// Of each coin, whether this mint can have made it: of one of its keysets, of an amount with a key, and its proof, if it has one, holds.
    /// Asks the mint where a keyset is not known yet.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn may_have_made(&self, coins: &[&Proof]) -> Result<Vec<bool>, MintError> {
        let mut known = self.keysets_in_sats().await?;
        if coins.iter().any(|coin| known.iter().all(|keyset| keyset.id != coin.keyset_id)) {
            self.learn_keysets().await?;
            known = self.keysets_in_sats().await?;
        }
        let mut made = Vec::with_capacity(coins.len());
        for coin in coins {
            made.push(if known.iter().any(|keyset| keyset.id == coin.keyset_id) {
                let key = self.keyset(coin.keyset_id).await?.keys.amount_key(coin.amount);
                key.is_some_and(|key| coin.dleq.is_none() || coin.verify_dleq(key).is_ok())
            } else {
                false
            });
        }
        Ok(made)
    }
}
