//! nutpurse: an ecash wallet for AI agents.

pub mod cli;
pub mod config;
pub mod mint;
pub mod model;
pub mod policy;
pub mod ports;
pub mod store;
pub mod wallet;
