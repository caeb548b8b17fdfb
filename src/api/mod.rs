//! The interface for agents: tools, requests, answers, error codes, and every sentence.
//!
//! It turns requests into the wallet's types, and the wallet's records into answers. It never calls
//! a mint, a store or a relay, and never decides to spend.

pub mod code;
mod csv;
pub mod error;
mod explain;
mod period;
mod read;
pub mod relay_trial;
pub mod request;
mod source;
pub mod tools;
pub mod view;
pub mod words;

pub use code::Code;
pub use error::Error;
#[cfg(feature = "testing")]
pub use error::{MoneyMoved, Retry};
pub use source::Source;
