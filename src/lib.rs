//! nutpurse: an ecash wallet for AI agents.

pub mod model;
pub mod mint;
pub mod ports;
pub mod wallet;
