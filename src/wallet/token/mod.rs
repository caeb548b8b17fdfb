//! Money handed over as a token (NUT-00): made, taken in, taken back.

pub(super) mod receive;
pub(super) mod reclaim;
pub(super) mod send;
pub(super) mod watch;

use crate::wallet::core::Core;

/// Money handed over as a token: made, taken in, taken back.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a>(pub(crate) &'a Core);
