//! The harness that drives a wallet from outside: its folder, a client that calls its tools, the
//! answers, and the law that must hold afterwards.
//!
//! [`Client`] has two implementations. [`Session`] speaks over the standard streams of a process.
//! The other one calls the tool layer in the test's own process; it is in `tests/it/world`, because
//! this crate never depends on the wallet's library.
//!
//! The modules [`lies`], [`payees`], [`input`], [`secrets`] and
//! [`strangers`] are the tables that the tests and the
//! fault score share.

mod answer;
mod client;
mod home;
pub mod input;
mod law;
pub mod lies;
pub mod payees;
mod process;
pub mod secrets;
mod session;
pub mod strangers;
mod watch;

pub use self::answer::Answer;
pub use self::client::Client;
pub use self::home::{Home, Limits, Settings, WIDE};
pub use self::law::{Holdings, books, conserved};
pub use self::process::{closed_to_others, holders, killer, mode, program};
pub use self::session::Session;
pub use self::watch::Watch;

/// A result whose error is a text for the reader of a failure.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A public key that no wallet of the tests holds: the generator of the curve. A token locked to it
/// always needs a swap.
pub const NOBODY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// Fails with this reason.
pub fn fail<T>(why: impl Into<String>) -> Outcome<T> {
    Err(why.into().into())
}

/// Fails with this text where the condition does not hold.
pub fn holds(is_so: bool, what: impl std::fmt::Display) -> Outcome {
    if is_so { Ok(()) } else { fail(what.to_string()) }
}

/// Fails with the formatted text where the condition does not hold.
#[macro_export]
macro_rules! must {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+).into());
        }
    };
}
