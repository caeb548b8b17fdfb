//! Verifies the preimage of a Lightning payment.

use sha2::{Digest, Sha256};

/// Returns whether `preimage` hashes to `payment_hash`. Both are hex; malformed text returns
/// `false`.
pub(crate) fn opens(preimage: &str, payment_hash: &str) -> bool {
    let (mut bytes, mut hash) = ([0; 32], [0; 32]);
    let read = hex::decode_to_slice(preimage, &mut bytes)
        .and_then(|()| hex::decode_to_slice(payment_hash, &mut hash));
    read.is_ok() && Sha256::digest(bytes).as_slice() == hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hashes_to_the_payment_hash_is_a_receipt() {
        let zeros = "0".repeat(64);
        let hash = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert!(opens(&zeros, hash));
        assert!(!opens(&zeros, &zeros));
        assert!(!opens("", hash));
        assert!(opens(&zeros, &hash.to_uppercase()));
        assert!(
            !opens(&"0".repeat(63), hash)
                && !opens(&"0".repeat(66), hash)
                && !opens(&zeros, hash.get(..62).unwrap())
        );
    }
}
