//! The report of `doctor` about the wallet on relays. It contains no key, no coin and no quote id.

use serde::Serialize;

use super::relays::in_the_way;
use crate::api::words::Money;
use crate::wallet::doctor;
use crate::wallet::doctor::{FindingKind, RelayState};

/// The wallet on relays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelaysReport {
    /// The wallet's public key.
    pub npub: String,
    /// The kind of money.
    pub money: Money,
    /// The owner's relays.
    pub relays: Vec<RelayStanding>,
    /// Sats in live events on the relays, each coin counted once.
    pub on_relays_sats: u64,
    /// The part of these that the mints confirm as unspent, in sats.
    pub checked_sats: u64,
    /// The part of these that no mint confirmed, in sats: the mint is silent or not listed.
    pub unchecked_sats: u64,
    /// The sats that the wallet itself counts as spendable.
    pub here_sats: u64,
    /// The problems found. Empty if there are none.
    pub findings: Vec<Finding>,
    /// The next step for the owner, if the wallet cannot publish its own events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

/// The state of one relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelayStanding {
    /// The relay's URL.
    pub url: String,
    /// The state: `synced`, `behind` (lacks events), `forgets_deletions` (shows deleted events),
    /// `refuses` (rejects some events), `partial` (not read to its end) or `unreachable`.
    pub state: &'static str,
    /// The number of live coin events that it shows.
    pub events: usize,
    /// The number of live events that it lacks.
    pub lacks: usize,
    /// The number of events that it shows although they are deleted.
    pub undeleted: usize,
    /// The number of events that it rejects.
    pub refused: usize,
    /// The number of events waiting to be sent to it.
    pub unpublished: u64,
    /// The reason for the state, from the relay or from this wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untrusted_reason: Option<String>,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the problem.
    pub finding: &'static str,
    /// The relay concerned. `None` if it concerns no single relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// The number of events, coins or lines.
    pub count: usize,
    /// Their value in sats. `None` if it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sats: Option<u64>,
    /// The description.
    pub what: &'static str,
    /// The remedy.
    pub mend: &'static str,
    /// The ids of the first events concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

impl From<doctor::RelaysReport> for RelaysReport {
    fn from(report: doctor::RelaysReport) -> Self {
        Self {
            npub: report.npub,
            money: report.money.into(),
            relays: report.relays.into_iter().map(Into::into).collect(),
            on_relays_sats: report.on_relays_sats,
            checked_sats: report.checked_sats,
            unchecked_sats: report.unchecked_sats,
            here_sats: report.here_sats,
            findings: report.findings.into_iter().map(Into::into).collect(),
            next_step: report.in_the_way.as_ref().map(in_the_way),
        }
    }
}

impl From<doctor::RelayStanding> for RelayStanding {
    fn from(relay: doctor::RelayStanding) -> Self {
        let (state, untrusted_reason) = match relay.state {
            RelayState::Synced => ("synced", None),
            RelayState::Behind => ("behind", None),
            RelayState::ForgetsDeletions => ("forgets_deletions", None),
            RelayState::Refuses(reason) => ("refuses", Some(reason)),
            RelayState::Partial(reason) => ("partial", Some(reason)),
            RelayState::Unreachable(reason) => ("unreachable", Some(reason)),
        };
        Self {
            url: relay.url,
            state,
            events: relay.events,
            lacks: relay.lacks,
            undeleted: relay.undeleted,
            refused: relay.refused,
            unpublished: relay.unpublished,
            untrusted_reason,
        }
    }
}

impl From<doctor::Finding> for Finding {
    fn from(found: doctor::Finding) -> Self {
        let (finding, what, mend) = words(found.kind);
        Self {
            finding,
            relay: found.relay,
            count: found.count,
            sats: found.sats,
            what,
            mend,
            events: found.events,
        }
    }
}

/// Returns the name, the description and the remedy of a finding.
fn words(kind: FindingKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        FindingKind::Partition => (
            "partition",
            "live coin events that another relay shows and this one does not",
            "`nutpurse sync` sends them there",
        ),
        FindingKind::Ghost => (
            "ghost token",
            "live coin events whose coins the mint calls spent: other programs may still count them",
            "`nutpurse sync` asks the mint and deletes them",
        ),
        FindingKind::Orphaned => (
            "orphaned proofs",
            "unspent coins that no live event on any relay contains: other devices do not see them",
            "`nutpurse sync` puts them into an event",
        ),
        FindingKind::BrokenChain => (
            "broken chain of del",
            "events that a live one replaces and that this wallet never saw: it is not known which other coins they contained",
            "run `sync` on the device or program that wrote them; `nutpurse restore` finds coins made from this wallet's words",
        ),
        FindingKind::ForkedWallet => (
            "forked wallet event",
            "wallet events (kind 17375) with different keys than the newest one: a program that reads one of them cannot open every nutzap",
            "`nutpurse sync` writes one with every key",
        ),
        FindingKind::Undeleted => (
            "deletion not propagated",
            "events that this relay shows although they are deleted elsewhere: other programs may count their coins",
            "`nutpurse sync` sends it the deletion again; if that does not help, the relay ignores deletions: use another",
        ),
        FindingKind::HistoryGap => (
            "gap in history",
            "history events that this wallet wrote or read, and that no relay shows any more",
            "no coin depends on them, and this wallet's own history is complete (`nutpurse list-history`); other programs show less of the past",
        ),
        FindingKind::UnclaimedQuote => (
            "quote in limbo",
            "deposits that are paid at their mint but not claimed by anyone",
            "the wallet claims its own when it runs (`nutpurse sync`); for another program's, open that program",
        ),
        FindingKind::Malformed => (
            "malformed event",
            "events of the wallet's key that cannot be decrypted or read; they are left as they are",
            "open the wallet with the program that wrote them; this wallet does not count their contents",
        ),
    }
}
