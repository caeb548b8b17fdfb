//! The key that incoming nutzaps are locked to (NIP-61, NUT-11).
//!
//! It is always written as `02` and x, so its y must be even. A key with an odd y is replaced by
//! its negative, which has the same x.

use nostr::SECP256K1;
use nostr::secp256k1::{Keypair, Parity, SecretKey};

use super::identity::BadKey;
use crate::model::secret::Secret;

/// A key pair whose public key has an even y.
#[derive(Clone, Debug)]
pub struct NutzapKey {
    secret: Secret,
    public: String,
}

impl NutzapKey {
    /// Parses a secret key of 64 hex characters.
    ///
    /// # Errors
    /// [`BadKey::Form`].
    pub fn from_secret(hex: &Secret) -> Result<Self, BadKey> {
        let key: SecretKey = hex.reveal().trim().parse().map_err(|_| BadKey::Form)?;
        let (x, parity) = Keypair::from_secret_key(SECP256K1, &key).x_only_public_key();
        let key = if parity == Parity::Odd { key.negate() } else { key };
        Ok(Self { secret: Secret::new(hex::encode(key.as_ref())), public: x.to_string() })
    }

    /// Generates a random key.
    ///
    /// # Errors
    /// [`BadKey::Random`].
    #[cfg(feature = "testing")]
    pub fn random() -> Result<Self, BadKey> {
        Self::from_secret(&super::identity::Identity::random()?.secret_hex())
    }

    /// The secret key, 64 characters of lower-case hex.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The x-only public key, 64 characters of lower-case hex.
    pub fn public_x(&self) -> &str {
        &self.public
    }

    /// The compressed public key, `02` and x, as locks and kind 10019 contain it.
    #[cfg(feature = "testing")]
    pub fn public_compressed(&self) -> String {
        format!("02{}", self.public)
    }
}
