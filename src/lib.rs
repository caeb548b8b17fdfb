//! nutpurse: an ecash wallet for AI agents.

pub mod cli;
pub mod mcp;
pub mod model;
pub mod ports;
pub mod wallet;
