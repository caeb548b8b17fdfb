//! One daemon per wallet; what a client starts is a shim that carries lines to it.
//!
//! ```text
//!  client --stdio--> shim ---+
//!  client --stdio--> shim ---+--- daemon.sock ---> daemon: a session each, one wallet, one set of tasks
//!  nutpurse pay ... ---------+
//! ```
//! The process that holds the lock on `daemon.lock` is the daemon. The system releases the lock
//! when that process ends. No process id decides anything, and nothing is ever signalled.
//!
//! ```text
//!  daemon:  (lock taken) --> serving --(idle, SIGTERM, asked to finish, its socket gone)--> finishing --> gone
//!  shim:    connecting <--(daemon gone)-- connected --(client gone)--> ended
//!             +--(nobody for 5 s)--> unavailable: lists the tools, refuses every call; goes on looking for a daemon
//! ```
//! A shim opens no store, reads no key and knows no verb; it never sends a call that could move
//! money twice. Only the daemon, and whoever holds the lock in its place (`--in-process`, an
//! owner's command), opens the store.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod connect;
#[cfg(unix)]
mod drain;
#[cfg(unix)]
mod handshake;
#[cfg(unix)]
mod inflight;
#[cfg(unix)]
mod launch;
mod lock;
#[cfg(unix)]
mod lost_reply;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod shim;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod unavailable;

#[cfg(unix)]
pub use client::{Client, finish, status};
#[cfg(unix)]
pub use connect::ConnectOptions;
#[cfg(unix)]
pub use launch::{detach, set_umask};
pub use lock::Lock;
#[cfg(unix)]
pub use serve::serve;
#[cfg(unix)]
pub use shim::run_shim;
