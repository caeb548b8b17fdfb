//! The integration tests.

mod docs;
mod tools;
