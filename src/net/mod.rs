//! The only HTTP and websocket code of the product: one hardened way out.
//!
//! Every exchange has a deadline and a cap, goes to an address that was checked, and is made once:
//! no redirects, no repeats, no cookies, no credentials, no compression, nothing from the
//! environment. Never decides what an answer means.
//!
//! ```text
//!  send --> vet (url, address) --> pace (our rate, their pause) --> web (one exchange) --> failure (had it left?)
//! ```

mod address;
mod failure;
mod origin;
mod pace;
mod resolve;
mod settings;
mod socket;
#[cfg(test)]
mod tests;
mod vet;
mod web;

pub use settings::NetworkSettings;
pub use web::Web;
