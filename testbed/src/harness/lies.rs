//! The lies of a mint that the tests and the fault score tell.

use crate::{CoinLie, KeysetLie, RestoreLie, SignatureLie};

/// The path on which a mint quotes a deposit.
pub const QUOTE: &str = "/v1/mint/quote/bolt11";
/// The path on which a mint signs a deposit's proofs.
pub const CLAIM: &str = "/v1/mint/bolt11";
/// The path on which a mint swaps proofs.
pub const SWAP: &str = "/v1/swap";
/// The path on which a mint quotes a payment.
pub const PRICE: &str = "/v1/melt/quote/bolt11";
/// The path on which a mint pays.
pub const PAY: &str = "/v1/melt/bolt11";
/// The path on which a mint gives signatures again (NUT-09).
pub const AGAIN: &str = "/v1/restore";

/// Every visible fault in signatures.
#[must_use]
pub fn signatures() -> [SignatureLie; 10] {
    [
        SignatureLie::Point,
        SignatureLie::Proof,
        SignatureLie::NoProof,
        SignatureLie::Amount,
        SignatureLie::Keyset("00aabbccddeeff00".to_owned()),
        SignatureLie::Fewer,
        SignatureLie::More,
        SignatureLie::Reordered,
        SignatureLie::Duplicate,
        SignatureLie::None,
    ]
}

/// Every visible fault in the signatures of a payment's change (NUT-08).
#[must_use]
pub fn change() -> [SignatureLie; 5] {
    let [point, proof, no_proof, _, keyset, _, more, ..] = signatures();
    [point, proof, no_proof, keyset, more]
}

/// Every fault in signatures given again (NUT-09), and [`RestoreLie::Reordered`], which is true.
pub const RESTORED: [RestoreLie; 8] = [
    RestoreLie::Partial,
    RestoreLie::Duplicate,
    RestoreLie::Again,
    RestoreLie::Foreign,
    RestoreLie::Mixed,
    RestoreLie::FewerSignatures,
    RestoreLie::Reordered,
    RestoreLie::Empty,
];

/// States of proofs (NUT-07) that no mint can give.
pub const COINS: [CoinLie; 6] = [
    CoinLie::All("RESERVED"),
    CoinLie::All("PENDING_SPENT"),
    CoinLie::All("BORROWED"),
    CoinLie::Missing,
    CoinLie::Reordered,
    CoinLie::Others,
];

/// Keysets that a mint suddenly has instead of its own. `id` is the id of its keyset.
#[must_use]
pub fn keysets(id: &str) -> Vec<KeysetLie> {
    let mut lies = vec![
        KeysetLie::Gone,
        KeysetLie::Unit("usd"),
        KeysetLie::Unit("msat"),
        KeysetLie::Unit("eur"),
    ];
    lies.extend(crate::collision(id).map(KeysetLie::More));
    lies.push(KeysetLie::Keys);
    lies
}
