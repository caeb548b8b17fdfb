//! Coins of others: whether a mint's keys show that it made them (NUT-12), and the signature that
//! opens a coin locked to a key of ours (NUT-11).
//!
//! Never trusts a coin for looking right, since a mint calls any unknown coin unspent: without the
//! mint's proof only a swap tells.

use std::str::FromStr;

use cdk::nuts::{Proof, SecretKey};

use super::Mint;
use super::error::MintError;
use crate::model::secret::Secret;

/// Whether a mint made a coin, as far as its keys show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It did: the proof holds.
    Proven,
    /// The coin comes without a proof.
    Unproven,
    /// It did not: the proof is wrong, or its keyset has no key for the amount.
    Wrong,
    /// Of no keyset in sats that is known.
    Unknown,
}

/// Whether the mint may be asked for keys that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// For those of keysets that it has listed.
    Allowed,
    /// Nothing is asked.
    Not,
}

/// Signs for a coin that is locked to this key, 64 letters of hex. A witness that it had is gone.
/// `false`: the key is none.
pub fn sign(coin: &mut Proof, key: &Secret) -> bool {
    coin.witness = None;
    SecretKey::from_str(key.reveal()).is_ok_and(|key| coin.sign_p2pk(key).is_ok())
}

impl Mint {
    /// Of each coin, whether this mint made it.
    ///
    /// # Errors
    /// As the mint says; none of its own where it is not asked.
    pub async fn made(&self, coins: &[&Proof], asking: Asking) -> Result<Vec<Made>, MintError> {
        let listed =
            if asking == Asking::Allowed { self.keysets_in_sats().await? } else { Vec::new() };
        let mut made = Vec::with_capacity(coins.len());
        for coin in coins {
            let keyset = match asking {
                Asking::Not => self.known_keyset(coin.keyset_id).await?,
                Asking::Allowed if listed.iter().any(|keyset| keyset.id == coin.keyset_id) => {
                    Some(self.keyset(coin.keyset_id).await?)
                }
                Asking::Allowed => None,
            };
            made.push(match keyset.map(|keyset| keyset.keys.amount_key(coin.amount)) {
                None => Made::Unknown,
                Some(Some(_)) if coin.dleq.is_none() => Made::Unproven,
                Some(Some(key)) if coin.verify_dleq(key).is_ok() => Made::Proven,
                Some(_) => Made::Wrong,
            });
        }
        Ok(made)
    }

    /// Of each coin, whether this mint can have made it: of one of its keysets, of an amount with a
    /// key, and its proof, if it has one, holds. Asks the mint where a keyset is not known yet.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn may_have_made(&self, coins: &[&Proof]) -> Result<Vec<bool>, MintError> {
        let mut made = self.made(coins, Asking::Allowed).await?;
        if made.contains(&Made::Unknown) {
            self.learn_keysets().await?;
            made = self.made(coins, Asking::Allowed).await?;
        }
        Ok(made.iter().map(|made| matches!(made, Made::Proven | Made::Unproven)).collect())
    }
}
