//! SHA-256 over several texts.

use sha2::{Digest, Sha256};

/// Digests the parts of a request, each prefixed with its length. Tells a repeat of an idempotency
/// key from a different request under that key.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}
