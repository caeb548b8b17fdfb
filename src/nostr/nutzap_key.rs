//! The key that nutzaps to us are locked to (NIP-61, NUT-11).
//!
//! Written as `02` and x everywhere, so its y is even: an odd one is turned into its negative,
//! which signs the same.

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
    /// From a secret key, 64 letters of hex.
    ///
    /// # Errors
    /// [`BadKey::Form`].
    pub fn from_secret(hex: &Secret) -> Result<Self, BadKey> {
        let key: SecretKey = hex.reveal().trim().parse().map_err(|_| BadKey::Form)?;
        let (x, parity) = Keypair::from_secret_key(SECP256K1, &key).x_only_public_key();
        let key = if parity == Parity::Odd { key.negate() } else { key };
        Ok(Self { secret: Secret::new(hex::encode(key.as_ref())), public: x.to_string() })
    }

    /// A key that nobody has.
    ///
    /// # Errors
    /// [`BadKey::Random`].
    #[cfg(feature = "testing")]
    pub fn random() -> Result<Self, BadKey> {
        Self::from_secret(&super::identity::Identity::random()?.secret_hex())
    }

    /// The secret key, 64 letters of lower-case hex.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The public key, x only, 64 letters of lower-case hex.
    pub fn public_x(&self) -> &str {
        &self.public
    }

    /// The public key as a lock and kind 10019 name it: `02` and x.
    #[cfg(feature = "testing")]
    pub fn public_compressed(&self) -> String {
        format!("02{}", self.public)
    }
}
