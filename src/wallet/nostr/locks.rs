//! The keys of ours that open locked coins (NUT-11): those of the wallet's events, ours of the
//! words, and the Nostr key itself, to which some programs lock.
//!
//! Says what can be opened, and signs; asks nobody.

use cdk_common::secret::Secret as CoinSecret;

use super::super::Wallet;
use super::super::failure::Failure;
use super::Link;
use super::about::About;
use crate::mint::Coins;
use crate::mint::unlock::sign;
use crate::model::secret::Secret;
use crate::nostr::nutzap::{BadNutzap, Opens, locked_to};
use crate::nostr::p2pk::NutzapKey;

/// A time before every lock's: a swap tells whether somebody else was faster.
const WHENEVER: u64 = 0;

/// Keys of ours. Empty where Nostr is off.
#[derive(Debug, Default)]
pub(in super::super) struct LockKeys {
    names: Vec<String>,
    secrets: Vec<Secret>,
}

impl LockKeys {
    pub(super) fn of(link: &Link, about: &About) -> Self {
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
    pub(super) fn opens(&self, secret: &CoinSecret, now: u64) -> Result<Opens, BadNutzap> {
        locked_to(secret, &self.names, now)
    }

    /// One of our keys opens each of these.
    pub(in super::super) fn open_all(&self, secrets: &[CoinSecret]) -> bool {
        secrets.iter().all(|secret| self.opens(secret, WHENEVER).is_ok())
    }

    /// The coins, each that is locked to one of our keys signed for; the others as they are.
    pub(in super::super) fn sign(&self, mut coins: Coins) -> Coins {
        for coin in &mut coins {
            if let Ok(opens) = self.opens(&coin.secret, WHENEVER)
                && let Some(key) = self.secrets.get(opens.key)
                && !sign(coin, key)
            {
                tracing::error!("a key of the wallet cannot sign");
            }
        }
        coins
    }

    /// The names of the keys: another set of them opens other coins.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

impl Wallet {
    /// All keys of ours that open locked coins.
    pub(in super::super) async fn lock_keys(&self) -> Result<LockKeys, Failure> {
        match &self.nostr {
            Some(link) => Ok(LockKeys::of(link, &self.about().await?)),
            None => Ok(LockKeys::default()),
        }
    }
}
