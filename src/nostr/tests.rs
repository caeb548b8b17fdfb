//! Tests of the event formats: our own, those of other wallets, and hostile ones.

mod fixture;
mod formats;
mod keys;
mod people;
mod strangers;
mod value;

use cdk_common::nuts::Proof;

use super::identity::Identity;
use crate::model::secret::Secret;

/// A fixed test key.
fn identity(byte: u8) -> Identity {
    Identity::from_nsec(&Secret::new(format!("{byte:02x}").repeat(32))).unwrap()
}

/// A proof with this amount and secret that no mint signed.
fn proof(amount: u64, secret: &str) -> Proof {
    let c = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    serde_json::from_value(
        serde_json::json!({"id": "009a1f293253e41e", "amount": amount, "secret": secret, "C": c}),
    )
    .unwrap()
}
