//! The integration tests: one binary, a file per verb or subject, on real mints, relays and clients
//! on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests say what they expect and fail where it is not so"
)]

mod agents;
mod answers;
mod bad_input;
mod bad_tokens;
mod cancelled;
mod change;
mod clock;
mod confirm;
mod corpus;
mod counters;
mod counts;
mod cut;
mod daemon;
mod damage;
mod disputed;
mod docs;
mod found;
mod give_up;
mod growth;
mod hostile_words;
mod house;
mod keysets;
mod kill;
mod late;
mod laws;
mod layering;
mod lies;
mod limits;
mod lines;
mod lnurl;
mod locked;
mod lying_payees;
mod mints;
mod money;
mod nostr;
mod pay;
mod pipe;
mod points;
mod relay_scripts;
mod relays;
mod repeats;
mod restore;
mod rotated;
mod rounds;
mod secrets;
mod session;
mod silence;
mod strangers;
mod tools;
mod waits;
mod world;
