//! What agents say and hear: the tools, their requests read into what the wallet understands, its
//! records as answers, and every code and every sentence.
//!
//! Never sees a mint, a store or a relay; never decides to spend.

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
