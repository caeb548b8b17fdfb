//! What `doctor` answers about the wallet on relays. Holds no key, no coin and no name of a quote.

use serde::Serialize;

use super::MoneyWord;

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
