//! What is answered of relays: how they stand, and how far something has come on them.

use schemars::JsonSchema;
use serde::Serialize;

use super::MoneyWord;

view!(
    /// The wallet on Nostr relays.
    NostrView {
        /// The wallet's public Nostr key.
        npub: String,
        /// synced, partial, offline or read_only.
        state: &'static str,
        /// Events that not enough relays have yet.
        unpublished: u64,
    }
);

view!(
    /// How a relay stands.
    RelayView {
        /// The relay.
        url: String,
        /// synced, partial (not read to its end), behind (lacks events; they are sent again),
        /// unreachable or unknown.
        state: &'static str,
        /// Events it has not got: on their way, missed while it was away, or refused by it.
        unpublished: u64,
        /// What the owner should know of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// The relay's own words to what it refuses.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_reason: Option<String>,
    }
);

view!(
    /// How relays and wallet came together.
    SyncView {
        /// synced, partial, offline, read_only or off.
        state: &'static str,
        /// Kind of money.
        money: MoneyWord,
        /// Per relay of the owner.
        relays: Vec<RelayView>,
        /// Found on relays, put there by other devices of this wallet; can be spent now.
        pulled_sats: u64,
        /// Spent by other devices of this wallet.
        dropped_sats: u64,
        /// What to do now.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    }
);

view!(
    /// How far a nutzap has come.
    DeliveredView {
        /// Relays of the recipient that have it.
        relays: u64,
        /// Relays of the recipient that it goes to.
        of: u64,
        /// None of them took it within a month: it is not sent any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        given_up: Option<bool>,
    }
);
