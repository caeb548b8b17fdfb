//! Deposits over Lightning (NUT-04): invoices, issuing proofs for paid ones, and quotes shared by
//! the devices of a wallet (NIP-60).

pub(super) mod issue;
pub(super) mod open;
pub(super) mod quotes;

use crate::wallet::core::Core;

/// Verbs for deposits.
#[derive(Clone, Copy, Debug)]
pub struct Deposits<'a>(pub(crate) &'a Core);
