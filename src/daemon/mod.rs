//! One daemon per wallet; a client starts a shim, which carries lines to the daemon.
//!
//! ```text
//!  client --stdio--> shim ---+
//!  client --stdio--> shim ---+--- daemon.sock ---> daemon: one wallet, a session per client
//!  nutpurse pay ... ---------+
//! ```
//! The process that holds the lock on `daemon.lock` is the daemon. The system releases the lock
//! when that process ends. Process ids decide nothing, and no process is ever sent a signal.
//!
//! ```text
//!  daemon: (locked) --> serving --(idle, SIGTERM, asked to end, no socket)--> finishing --> ended
//!  shim:   connecting <--(daemon gone)-- connected --(client gone)--> ended
//!            +--(no daemon for 5 s)--> unavailable: lists tools, refuses calls, keeps looking
//! ```
//! A shim opens no store, reads no key and runs no tool; it never sends a call twice that could
//! move money. Only the holder of the lock opens the store: the daemon, or in its place a process
//! with `--in-process` or an owner's command.

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
