//! The home folder, the owner's settings files, the environment and the keys.
//!
//! Never decides on a payment, and never falls back to a default for a file that exists but cannot
//! be used. All functions block: call them from a blocking thread.

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
