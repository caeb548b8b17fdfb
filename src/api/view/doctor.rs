//! What `doctor` answers about the wallet on relays. Holds no key, no coin and no name of a quote.

use serde::Serialize;

use super::MoneyWord;
use super::relays::in_the_way;
use crate::wallet::doctor;
use crate::wallet::doctor::{FindingKind, RelayState};

/// The wallet on relays, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelaysReport {
    /// The wallet's public key.
    pub npub: String,
    /// Play money or real money.
    pub money: MoneyWord,
    /// The owner's relays.
    pub relays: Vec<RelayStanding>,
    /// Coins that live events on the relays hold, each once, in sats.
    pub on_relays_sats: u64,
    /// Of these, what the mints call unspent.
    pub checked_sats: u64,
    /// Of these, what no mint was asked about: it does not answer, or is not listed.
    pub unchecked_sats: u64,
    /// What the wallet itself counts as spendable.
    pub here_sats: u64,
    /// What is wrong. Empty: nothing was found.
    pub findings: Vec<Finding>,
    /// What keeps the wallet from saying there what it is and takes, and what the owner can do
    /// about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

/// How one relay stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelayStanding {
    /// The relay.
    pub url: String,
    /// `synced`, `behind` (it lacks events), `forgets_deletions` (it shows what is deleted),
    /// `refuses` (it will not take some events), `partial` (it was not read to its end),
    /// `unreachable`.
    pub state: &'static str,
    /// Live events of coins that it shows.
    pub events: usize,
    /// Live events that it lacks.
    pub lacks: usize,
    /// Events that it shows although they are deleted.
    pub undeleted: usize,
    /// Events that it will not take.
    pub refused: usize,
    /// Events that wait to be sent to it.
    pub unpublished: u64,
    /// Why it was not read to its end, or why it refuses: its words, or ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untrusted_reason: Option<String>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, one of nine.
    pub finding: &'static str,
    /// The relay where it is. `None`: it is of no single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// How many events, coins or lines.
    pub count: usize,
    /// What they are worth, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sats: Option<u64>,
    /// What it is.
    pub what: &'static str,
    /// What mends it.
    pub mend: &'static str,
    /// Ids of the events that it is about, the first of them.
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

/// The name of a finding, what it is, and what mends it.
fn words(kind: FindingKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        FindingKind::Partition => (
            "partition",
            "live events of coins that this relay does not show, and another does",
            "`nutpurse sync` brings them there",
        ),
        FindingKind::Ghost => (
            "ghost token",
            "live events of coins that their mint calls spent: other programs may count them",
            "`nutpurse sync` asks the mint and deletes them",
        ),
        FindingKind::Orphaned => (
            "orphaned proofs",
            "coins that their mint calls unspent, and that no live event on any relay holds: other devices do not see them",
            "`nutpurse sync` puts them into an event",
        ),
        FindingKind::BrokenChain => (
            "broken chain of del",
            "events that a live one says it replaces, and that were never seen here: what they held beyond it is not known",
            "run `sync` on the device or program that wrote them; `nutpurse restore` finds coins made from this wallet's words",
        ),
        FindingKind::ForkedWallet => (
            "forked wallet event",
            "wallet events (kind 17375) with other keys than the newest one has: a program that reads one of them cannot open every nutzap",
            "`nutpurse sync` writes one with every key",
        ),
        FindingKind::Undeleted => (
            "deletion not propagated",
            "events that this relay shows, and that are deleted elsewhere: other programs may count their coins",
            "`nutpurse sync` sends it the deletion again; where it stays so, the relay keeps no deletions: use another",
        ),
        FindingKind::HistoryGap => (
            "gap in history",
            "lines that this wallet wrote or read when coins came or went, and that no relay shows any more",
            "no coin depends on them, and this wallet's own history is whole (`nutpurse list-history`); other programs show less of the past",
        ),
        FindingKind::UnclaimedQuote => (
            "quote in limbo",
            "deposits that are paid at their mint, and whose coins nobody has claimed",
            "the wallet claims its own once it runs (`nutpurse sync`); of another program's, open that program",
        ),
        FindingKind::Malformed => (
            "malformed event",
            "events of the wallet's key that cannot be opened or read as a whole; they are left as they are",
            "open the wallet with the program that wrote them; what they hold counts nowhere here",
        ),
    }
}
