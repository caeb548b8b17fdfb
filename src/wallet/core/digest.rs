//! One name for several texts.

use sha2::{Digest, Sha256};

/// The digest of a request, by which a repeat of a key is told from another request under it.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}
