//! nutpurse: an ecash wallet for AI agents.

pub mod model;
pub mod ports;
pub mod store;
