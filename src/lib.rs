//! nutpurse: an ecash wallet for AI agents.
//!
//! ```text
//!                 main -- app                 wiring only: open, recover, start, stop
//!                           |
//!         +-----------+-----+------+---------+
//!    an agent ->     mcp          cli       tasks  <- the clock
//!                (rmcp)  parse, render      |  schedule only
//!         +-----------+-----+------+        |
//!                           v               |
//!                          api              |  tools, answers, every code and every sentence
//!                           v               v
//!                        wallet  <----------+  typed in, typed out; effects are ordered here alone
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
//! Arrows point down only; a test enforces it.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests start tasks and read clocks as they need")
)]

mod api;
mod app;
mod cli;
mod config;
mod core_dumps;
mod daemon;
mod logging;
mod mcp;
mod mint;
mod model;
mod net;
mod nostr;
mod policy;
mod ports;
mod program;
mod store;
mod tasks;
mod wallet;

pub use program::run;

/// The parts that the project's own tests, benches, examples and fuzz targets use. Only they enable
/// the feature, so that the compiler finds code that nothing else uses.
#[cfg(feature = "testing")]
#[allow(missing_docs, reason = "each part is documented where it is defined")]
pub mod testing {
    macro_rules! open {
        ($($part:ident),*) => { $(pub mod $part { pub use crate::$part::*; })* };
    }
    open!(
        api, app, cli, config, daemon, mcp, mint, model, net, nostr, policy, ports, store, wallet
    );
}
