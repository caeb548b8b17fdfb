//! The only HTTP and websocket client of the wallet, hardened against hostile servers.
//!
//! Every exchange has a deadline and a size limit, goes to a checked address, and happens once. The
//! client follows no redirects and never retries; it sends no cookies or credentials, accepts no
//! compression and reads nothing from the environment. Never interprets an answer.
//!
//! ```text
//!  send -> url_policy (URL, address) -> rate_limit (our rate, server's pause)
//!       -> web (one exchange) -> failure (was it sent?)
//! ```

mod address;
mod failure;
mod origin;
mod rate_limit;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod url_policy;
mod web;
mod websocket;

pub use settings::NetworkSettings;
pub use web::Web;
