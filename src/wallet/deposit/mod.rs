//! Money that comes in over Lightning (NUT-04): an invoice, its coins once it is paid, and the
//! quotes that devices of one wallet share (NIP-60).

pub(super) mod issue;
pub(super) mod open;
pub(super) mod quotes;

use crate::wallet::core::Core;

/// Money that comes in over Lightning.
#[derive(Clone, Copy, Debug)]
pub struct Deposits<'a>(pub(crate) &'a Core);
