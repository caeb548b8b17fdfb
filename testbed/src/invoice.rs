//! What an invoice of the bench says, and its signature: real BOLT11 with a payment secret and the
//! hash of a true preimage.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Bolt11Invoice, Currency, InvoiceBuilder, PaymentSecret};

/// What a payee's invoice says. The default asks for nothing in particular: mainnet (`lnbc`), no
/// amount, an hour, now.
#[derive(Debug, Clone)]
pub struct InvoiceSpec {
    /// The network its prefix names.
    pub network: Currency,
    /// How many seconds after `created_at` it expires.
    pub expiry_seconds: u64,
    /// When it was made, in Unix seconds; `None` is now.
    pub created_at: Option<u64>,
    /// The amount in millisatoshi; `None` leaves it to the payer.
    pub amount_msat: Option<u64>,
    /// The description.
    pub description: String,
    /// The hash of a description that lies elsewhere, instead.
    pub description_hash: Option<[u8; 32]>,
}

impl Default for InvoiceSpec {
    fn default() -> Self {
        Self {
            network: Currency::Bitcoin,
            expiry_seconds: 3600,
            created_at: None,
            amount_msat: None,
            description: String::new(),
            description_hash: None,
        }
    }
}

impl InvoiceSpec {
    /// An invoice over `amount_sats`, otherwise the default.
    #[must_use]
    pub fn sats(amount_sats: u64, description: &str) -> Self {
        Self {
            amount_msat: Some(amount_sats * 1000),
            description: description.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn sign(&self, key: &SecretKey, preimage: [u8; 32]) -> Result<Bolt11Invoice> {
        let created = match self.created_at {
            Some(seconds) => Duration::from_secs(seconds),
            None => SystemTime::now().duration_since(UNIX_EPOCH)?,
        };
        let secp = Secp256k1::signing_only();
        let builder = InvoiceBuilder::new(self.network.clone());
        let builder = match self.description_hash {
            Some(hash) => builder.description_hash(sha256::Hash::from_byte_array(hash)),
            None => builder.description(self.description.clone()),
        };
        let mut builder = builder
            .payment_hash(sha256::Hash::hash(&preimage))
            .payment_secret(PaymentSecret(rand::random()))
            .duration_since_epoch(created)
            .min_final_cltv_expiry_delta(144)
            .expiry_time(Duration::from_secs(self.expiry_seconds));
        if let Some(amount) = self.amount_msat {
            builder = builder.amount_milli_satoshis(amount);
        }
        builder
            .build_signed(|hash| secp.sign_ecdsa_recoverable(hash, key))
            .map_err(|why| anyhow!("the invoice cannot be made: {why:?}"))
    }
}
