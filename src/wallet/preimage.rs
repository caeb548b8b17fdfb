//! The receipt of a Lightning payment.

use sha2::{Digest, Sha256};

/// `preimage` hashes to `payment_hash`. Both hex; anything else is no receipt.
pub(super) fn opens(preimage: &str, payment_hash: &str) -> bool {
    let Some(bytes) = unhex(preimage) else { return false };
    let Some(hash) = unhex(payment_hash) else { return false };
    bytes.len() == 32 && Sha256::digest(&bytes).as_slice() == hash.as_slice()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..32).map(|at| text.get(at * 2..at * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
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
        assert!(!opens(&"0".repeat(63), hash));
    }
}
