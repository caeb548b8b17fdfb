//! Paying a Lightning invoice or an address: what it costs where, and the payment itself.

pub(super) mod estimate;
pub(super) mod lnurl;
pub(super) mod offer;
pub(super) mod pay;

use crate::wallet::core::Core;

/// Paying an invoice or an address, and what became of a payment.
#[derive(Clone, Copy, Debug)]
pub struct Payments<'a>(pub(crate) &'a Core);
