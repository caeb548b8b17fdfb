//! The only HTTP and websocket code of the product: one hardened client.
//!
//! Every exchange has a deadline and a cap, goes to an address that was checked, and is made once:
//! no redirects, no repeats, no cookies, no credentials, no compression, nothing from the
//! environment. It never decides what an answer means.
//!
//! ```text
//!  send --> url_policy (URL, address) --> rate_limit (our rate, their pause) --> web (one exchange) --> failure (was it sent?)
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
