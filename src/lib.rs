//! nutpurse: an ecash wallet for AI agents.

pub mod model;
pub mod net;
pub mod ports;
