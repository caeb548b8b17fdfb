//! The store, tested from inside. What only the public face shows is tested here as well: it needs no network.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

mod conformance;
mod crash;
mod disk;
mod door;
mod doubts;
mod files;
mod journal;
mod samples;
mod sums;
