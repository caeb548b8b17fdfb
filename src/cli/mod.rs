//! The command line.

pub mod fence;
pub mod owner;
