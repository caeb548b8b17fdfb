//! Views of the relays: their state, and the delivery of nutzaps.

use schemars::JsonSchema;
use serde::Serialize;

use crate::api::words;
use crate::model::text::clean;
use crate::wallet::Delivered;
use crate::wallet::{InTheWay, NostrStanding, RelayStatus, SyncReport, Trouble};

view!(
    /// The wallet on Nostr relays.
    NostrView {
        /// The wallet's public Nostr key.
        npub: String,
        /// The state on the relays.
        state: words::SyncState,
        /// Events that too few relays have yet.
        #[schemars(extend("shown" = true))]
        unpublished: u64,
    }
);

view!(
    /// One relay.
    RelayView {
        /// The relay's URL.
        url: String,
        /// The state. behind: it lacks events, which are sent again.
        #[schemars(extend("shown" = true))]
        state: words::RelayState,
        /// Events that it lacks: not sent yet, missed while away, or refused.
        #[schemars(extend("shown" = true))]
        unpublished: u64,
        /// A note for the owner.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// The relay's own reason for refusing events.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_reason: Option<String>,
    }
);

view!(
    /// The result of a sync.
    SyncView {
        /// The state. read_only: own settings are not published, as keys may be missing.
        #[schemars(extend("shown" = true))]
        state: words::SyncState,
        /// The kind of money.
        money: words::Money,
        /// The owner's relays.
        relays: Vec<RelayView>,
        /// Found on relays, received by other devices; can be spent now.
        #[schemars(extend("shown" = true))]
        pulled_sats: u64,
        /// Spent by other devices with this wallet.
        #[schemars(extend("shown" = true))]
        dropped_sats: u64,
        /// The next step.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    }
);

view!(
    /// The delivery of a nutzap.
    DeliveredView {
        /// The number of the recipient's relays that have it.
        relays: u64,
        /// The number of the recipient's relays that it goes to.
        of: u64,
        /// True if none accepted it within a month; it is no longer sent.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        given_up: Option<bool>,
    }
);

impl From<NostrStanding> for NostrView {
    fn from(standing: NostrStanding) -> Self {
        Self {
            npub: standing.npub,
            state: standing.state.into(),
            unpublished: standing.unpublished,
        }
    }
}

impl From<RelayStatus> for RelayView {
    fn from(relay: RelayStatus) -> Self {
        let (note, untrusted_reason) = match relay.trouble {
            Some(Trouble::Refuses { events, untrusted_reason }) => (
                Some(format!(
                    "It permanently refuses {events} of this wallet's events; other relays have them."
                )),
                Some(untrusted_reason).filter(|reason| !reason.is_empty()),
            ),
            Some(Trouble::ForgetsDeletions) => (
                Some("It forgets deletions: old events of this wallet stay visible there, and other devices must ask the mint about them.".to_owned()),
                None,
            ),
            None => (None, None),
        };
        Self {
            url: relay.url,
            state: relay.sight.into(),
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
                    "{slow}; the sync continues. Call sync again in a minute to see the result."
                ))
            }
            None => report.in_the_way.as_ref().map(in_the_way),
        };
        Self {
            state: report.state.into(),
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

/// Explains what the owner can do if the wallet cannot publish its own events.
pub fn in_the_way(what: &InTheWay) -> String {
    match what {
        InTheWay::Elsewhere(urls) => {
            let urls = urls.iter().map(|url| clean(url)).collect::<Vec<_>>().join(", ");
            format!(
                "This Nostr key may already have a wallet at relays that are not set here: {urls}. Nothing is published about this wallet \
                 until they are set, so that no second wallet is created. Tell the owner: `nutpurse relays add URL`, then `nutpurse stop`."
            )
        }
        InTheWay::NutzapsOff => {
            "Another program has emptied this key's nutzap settings on the relays, so nutzaps stay off. To turn them on here, the owner sets \
             nutzaps = false in config.toml, lets the wallet sync once, and sets it to true again; `nutpurse stop` after each change."
                .to_owned()
        }
    }
}
