//! The integration tests.

mod docs;
mod lines;
mod pipe;
mod session;
mod tools;
