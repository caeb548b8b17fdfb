//! The bodies of the fuzz targets, as plain functions, so that the wallet's tests can run them over
//! the corpus.
//!
//! A function that returns has found nothing; a panic is a finding. Never opens a socket or waits
//! in real time.

pub mod mint_answers;
mod purse;
mod small_mint;
pub mod stored_rows;
mod tape;
pub mod texts;
pub mod tool_arguments;
