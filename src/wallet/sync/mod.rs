//! Sync between the wallet's devices (NIP-60): reads relays, checks proofs at the mints, adopts
//! them, and publishes the wallet's own events.
//!
//! Mints are authoritative; relays only hold copies. Nothing here makes a payment wait, and nothing
//! that a relay shows, hides or deletes makes the wallet give up a proof. Adopting other devices'
//! proofs costs at most the mint's fee.
//!
//! ```text
//!  outbox -> pull (page every relay, store events about the wallet)
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

/// Handle for this wallet's data on the owner's relays.
#[derive(Clone, Copy, Debug)]
pub struct OwnRelays<'a>(pub(crate) &'a Core);
