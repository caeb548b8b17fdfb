//! nutpurse: an ecash wallet for AI agents.

pub mod cli;
pub mod config;
pub mod model;
pub mod policy;
pub mod ports;
