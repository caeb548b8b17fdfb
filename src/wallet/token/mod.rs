//! Tokens (NUT-00): send, redeem, reclaim, and watch for claims.

pub(super) mod receive;
pub(super) mod reclaim;
pub(super) mod send;
pub(super) mod watch;

use crate::wallet::core::Core;

/// Verbs for tokens.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a>(pub(crate) &'a Core);
