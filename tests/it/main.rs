//! The integration tests.

mod docs;
mod session;
mod tools;
