//! Payments to a Lightning invoice or address: estimating, choosing a mint, paying.

pub(super) mod estimate;
pub(super) mod lnurl;
pub(super) mod offer;
pub(super) mod pay;

use crate::wallet::core::Core;

/// Verbs for paying an invoice or an address.
#[derive(Clone, Copy, Debug)]
pub struct Payments<'a>(pub(crate) &'a Core);
