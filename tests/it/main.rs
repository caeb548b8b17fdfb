//! The integration tests: one binary, a file per verb or subject, on real mints, relays and clients on loopback.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, clippy::disallowed_methods, reason = "tests say what they expect and fail where it is not so")]

mod agents;
mod bad_input;
mod cancelled;
mod docs;
mod fence;
mod layering;
mod lines;
mod pay;
mod pipe;
mod secrets;
mod session;
mod strangers;
mod tools;
mod world;
