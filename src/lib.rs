//! nutpurse: an ecash wallet for AI agents.
//!
//! ```text
//!                 main -- app                 wiring only: open, recover, start, stop
//!                           |
//!         +-----------+-----+------+---------+
//!    an agent ->     mcp          cli       tasks  <- the clock
//!                (rmcp)  parse, render      |  schedule only
//!         +-----------+-----+------+--------+
//!                           v
//!                        wallet               one verb per file; the only place effects are ordered
//!         +--------+--------+---+----+--------+--------+
//!         v        v        v        v        v        v
//!       mint     nostr     net     store    policy   config
//!       (cdk)   (nostr)   (http)   (redb)   (pure)   (files)
//!         +--------+--------+--------+--------+--------+
//!                           v
//!                         ports               the traits through which siblings meet; no code
//!                           v
//!                         model               pure nouns
//! ```
//! Arrows point down only; a test holds the code to it.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests start tasks and read clocks as they need")
)]

pub mod app;
pub mod cli;
pub mod config;
pub mod cores;
pub mod keeper;
pub mod logging;
pub mod mcp;
pub mod mint;
pub mod model;
pub mod net;
pub mod nostr;
pub mod policy;
pub mod ports;
pub mod store;
pub mod tasks;
pub mod wallet;
