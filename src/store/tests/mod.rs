//! The store, tested from inside. What only the public face shows is tested here as well: it needs no network.

mod conformance;
mod copies;
mod crash;
mod damage;
mod disk;
mod door;
mod doubts;
mod files;
mod journal;
mod relayed;
mod samples;
mod sums;
