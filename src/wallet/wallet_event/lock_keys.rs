//! Keys that unlock our locked proofs (NUT-11): those of the wallet's events, the one derived from
//! the mnemonic, and the Nostr key itself, which some programs lock to.
//!
//! Never contacts anyone.

use cdk_common::secret::Secret as CoinSecret;

use crate::mint::Proofs;
use crate::mint::token::sign_p2pk;
use crate::model::secret::Secret;
use crate::nostr::nutzap::{BadNutzap, UnlockingKey, locked_to};
use crate::nostr::nutzap_key::NutzapKey;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::Link;
use crate::wallet::wallet_event::known::{About, about};

/// Time before any locktime, so that our key counts; a swap shows if someone was faster.
const WHENEVER: u64 = 0;

/// Our unlocking keys; empty if Nostr is off.
#[derive(Debug, Default)]
pub(crate) struct LockKeys {
    names: Vec<String>,
    secrets: Vec<Secret>,
}

impl LockKeys {
    pub(crate) fn of(link: &Link, about: &About) -> Self {
        let mut keys = about.keys();
        // Our published key, even if our own event has not been read.
        let own = [link.parts.nutzap_key.clone(), link.parts.identity.secret_hex()];
        keys.extend(own.iter().filter_map(|secret| NutzapKey::from_secret(secret).ok()));
        Self {
            names: keys.iter().map(|key| key.public_x().to_owned()).collect(),
            secrets: keys.iter().map(|key| key.secret().clone()).collect(),
        }
    }

    /// Returns the key that unlocks a nutzap's proof at `now`.
    pub(crate) fn opens(&self, secret: &CoinSecret, now: u64) -> Result<UnlockingKey, BadNutzap> {
        locked_to(secret, &self.names, now)
    }

    /// Returns whether our keys unlock all of these.
    pub(crate) fn open_all(&self, secrets: &[CoinSecret]) -> bool {
        secrets.iter().all(|secret| self.opens(secret, WHENEVER).is_ok())
    }

    /// Signs the proofs that are locked to our keys; the others stay as they are.
    pub(crate) fn sign(&self, mut coins: Proofs) -> Proofs {
        for coin in &mut coins {
            if let Ok(opens) = self.opens(&coin.secret, WHENEVER)
                && let Some(key) = self.secrets.get(opens.key)
                && !sign_p2pk(coin, key)
            {
                tracing::error!("a key of the wallet cannot sign");
            }
        }
        coins
    }

    /// Returns the x-only public keys, which identify this set.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// Returns all our unlocking keys.
pub(crate) async fn lock_keys(core: &Core) -> Result<LockKeys, Failure> {
    match &core.nostr {
        Some(link) => Ok(LockKeys::of(link, &about(core).await?)),
        None => Ok(LockKeys::default()),
    }
}
