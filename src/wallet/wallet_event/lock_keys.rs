//! The keys of ours that open locked coins (NUT-11): those of the wallet's events, ours of the
//! words, and the Nostr key itself, to which some programs lock.
//!
//! Says what can be opened, and signs; asks nobody.

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

/// A time before every lock's: a swap tells whether somebody else was faster.
const WHENEVER: u64 = 0;

/// Keys of ours. Empty where Nostr is off.
#[derive(Debug, Default)]
pub(crate) struct LockKeys {
    names: Vec<String>,
    secrets: Vec<Secret>,
}

impl LockKeys {
    pub(crate) fn of(link: &Link, about: &About) -> Self {
        let mut keys = about.keys();
        // The key that we publish, though our own event may not have been read.
        let own = [link.parts.nutzap_key.clone(), link.parts.identity.secret_hex()];
        keys.extend(own.iter().filter_map(|secret| NutzapKey::from_secret(secret).ok()));
        Self {
            names: keys.iter().map(|key| key.public_x().to_owned()).collect(),
            secrets: keys.iter().map(|key| key.secret().clone()).collect(),
        }
    }

    /// What opens a nutzap's coin now.
    pub(crate) fn opens(&self, secret: &CoinSecret, now: u64) -> Result<UnlockingKey, BadNutzap> {
        locked_to(secret, &self.names, now)
    }

    /// One of our keys opens each of these.
    pub(crate) fn open_all(&self, secrets: &[CoinSecret]) -> bool {
        secrets.iter().all(|secret| self.opens(secret, WHENEVER).is_ok())
    }

    /// The coins, each that is locked to one of our keys signed for; the others as they are.
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

    /// The names of the keys: another set of them opens other coins.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// All keys of ours that open locked coins.
pub(crate) async fn lock_keys(core: &Core) -> Result<LockKeys, Failure> {
    match &core.nostr {
        Some(link) => Ok(LockKeys::of(link, &about(core).await?)),
        None => Ok(LockKeys::default()),
    }
}
