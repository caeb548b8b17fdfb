//! Tests of the store from inside. Tests of its public interface are here too: it needs no network.

mod archive;
mod copies;
mod counters;
mod crash;
mod damage;
mod deposits;
mod disk;
mod door;
mod files;
mod given_up;
mod held;
mod journal;
mod records;
mod relayed;
mod samples;
mod sums;
mod totals;
