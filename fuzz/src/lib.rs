//! What the fuzz targets do with their bytes: plain functions, so that the tests of the wallet run
//! the same over the corpus.
//!
//! A function that returns has found nothing; what must never happen is a panic. Nothing here opens
//! a socket or waits in real time.

pub mod mint_answers;
mod purse;
mod small_mint;
pub mod stored_rows;
mod tape;
pub mod texts;
pub mod tool_arguments;
