//! The home folder, the owner's files in it, the environment, and the keys.
//!
//! Reads and checks; never decides a payment, and never falls back to a default where a file is
//! there but cannot be used. Everything in here blocks: call it from a blocking thread.

mod config_file;
pub mod edit;
pub mod env;
mod files;
pub mod home;
pub mod identity;
mod keyring;
pub mod keys;
mod limits;
mod mints;
mod parse;
pub mod settings;

pub use env::Environment;
pub use home::{Home, HomeError};
pub use identity::Identity;
pub use keys::{Keys, KeysError};
pub use settings::{AdoptWhen, Settings, SettingsError};
