//! One process keeps a wallet; whatever a client starts is a shim that carries lines to it.
//!
//! ```text
//!  client --stdio--> shim ---+
//!  client --stdio--> shim ---+--- keeper.sock ---> keeper: a session each, one wallet, one set of tasks
//!  nutpurse pay ... ---------+
//! ```
//! The keeper is elected by the lock on `keeper.lock`: who has it keeps the wallet, and the system
//! takes it back when that process ends. No process id decides anything, and nothing is ever
//! signalled.
//!
//! ```text
//!  keeper:  (lock taken) --> serving --(idle, SIGTERM, asked to finish, its socket gone)--> finishing --> gone
//!  shim:    electing <--(keeper gone)-- linked --(client gone)--> ended
//!             +--(nobody for 5 s)--> standing in: lists the tools, refuses every call; goes on looking for a keeper
//! ```
//! A shim opens no store, reads no key and knows no verb; it never sends a call that could move
//! money twice. Only the keeper, and whoever holds the lock in its place (`--in-process`, an
//! owner's command), opens the store.

#[cfg(unix)]
mod agreement;
#[cfg(unix)]
mod ask;
#[cfg(unix)]
mod elect;
#[cfg(unix)]
mod gate;
#[cfg(unix)]
mod hello;
#[cfg(unix)]
mod launch;
mod lock;
#[cfg(unix)]
mod lost;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod shim;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod stand_in;
#[cfg(unix)]
mod table;

#[cfg(unix)]
pub use ask::{Remote, finish, status};
#[cfg(unix)]
pub use elect::Way;
#[cfg(unix)]
#[cfg(unix)]
pub use launch::{detach, second};
pub use lock::Lock;
#[cfg(unix)]
pub use serve::keep;
#[cfg(unix)]
pub use shim::run;
