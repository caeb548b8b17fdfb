//! What is answered of relays: how they stand, and how far something has come on them.

use schemars::JsonSchema;
use serde::Serialize;

use super::MoneyWord;
use crate::api::words;
use crate::model::text::clean;
use crate::wallet::Delivered;
use crate::wallet::{InTheWay, NostrStanding, RelayStatus, SyncReport, Trouble};

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

impl From<NostrStanding> for NostrView {
    fn from(standing: NostrStanding) -> Self {
        Self {
            npub: standing.npub,
            state: words::sync_state(standing.state),
            unpublished: standing.unpublished,
        }
    }
}

impl From<RelayStatus> for RelayView {
    fn from(relay: RelayStatus) -> Self {
        let (note, untrusted_reason) = match relay.trouble {
            Some(Trouble::Refuses { events, untrusted_reason }) => (
                Some(format!(
                    "It refuses {events} of this wallet's events for good; other relays have them."
                )),
                Some(untrusted_reason).filter(|reason| !reason.is_empty()),
            ),
            Some(Trouble::ForgetsDeletions) => (
                Some("It forgets deletions: old events of this wallet stay visible there, and cost other devices a question to the mint.".to_owned()),
                None,
            ),
            None => (None, None),
        };
        Self {
            url: relay.url,
            state: words::sight(relay.sight),
            unpublished: relay.unpublished,
            note,
            untrusted_reason,
        }
    }
}

impl From<SyncReport> for SyncView {
    fn from(report: SyncReport) -> Self {
        let next_step = match report.goes_on {
            Some(waits_for) => {
                let slow = waits_for.map_or("The relays are slow".to_owned(), |mint| {
                    format!("The mint {mint} is slow to answer")
                });
                Some(format!(
                    "{slow}; it goes on. Call sync again in a minute to see how it ended."
                ))
            }
            None => report.in_the_way.as_ref().map(in_the_way),
        };
        Self {
            state: words::sync_state(report.state),
            money: report.money.into(),
            relays: report.relays.into_iter().map(RelayView::from).collect(),
            pulled_sats: report.pulled_sats,
            dropped_sats: report.dropped_sats,
            next_step,
        }
    }
}

impl From<Delivered> for DeliveredView {
    fn from(delivered: Delivered) -> Self {
        let Delivered { relays, of, is_given_up } = delivered;
        Self { relays, of, given_up: is_given_up.then_some(true) }
    }
}

/// What the owner can do about what keeps the wallet from saying on relays what it is and takes.
pub fn in_the_way(what: &InTheWay) -> String {
    match what {
        InTheWay::Elsewhere(urls) => {
            let urls = urls.iter().map(|url| clean(url)).collect::<Vec<_>>().join(", ");
            format!(
                "This Nostr key may have a wallet already, at relays that are not set here: {urls}. Nothing is written about this wallet \
                 before they are, so that no second one is made. Tell the owner: `nutpurse relays add URL`, then `nutpurse stop`."
            )
        }
        InTheWay::NutzapsOff => {
            "Another program has emptied this key's list of where it takes nutzaps, so they stay off. To turn them on here, the owner sets \
             nutzaps = false in config.toml, lets the wallet sync once, and sets it to true again; `nutpurse stop` after each change."
                .to_owned()
        }
    }
}
