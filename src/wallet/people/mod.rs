//! Others on Nostr, asked about without saying who we are: who somebody is, what an event says,
//! which mints people recommend.

pub(super) mod find;
pub(super) mod recommended;
