//! One wallet on every device (NIP-60): what relays show is read, checked at the mints, and
//! adopted; what the wallet says of itself is written there.
//!
//! The mint is the truth, the store the memory, relays are copies: nothing here makes a payment
//! wait, and nothing that a relay shows, hides or deletes gives up a coin. Never makes value leave:
//! adopting another device's coins keeps everything.
//!
//! ```text
//!  outbox -> pull (page every relay, store what is said of the wallet)
//!         -> verify (NUT-07) -> tell (17375, 10019) -> outbox
//! ```

pub(super) mod adopt;
pub(super) mod backups;
pub(super) mod listen;
pub(super) mod pull;
pub(crate) mod send_again;
pub(crate) mod tell;
pub(super) mod verify;

use crate::wallet::core::Core;

/// This wallet on the owner's relays.
#[derive(Clone, Copy, Debug)]
pub struct OwnRelays<'a>(pub(crate) &'a Core);
