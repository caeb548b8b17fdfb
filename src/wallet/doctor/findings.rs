//! Judges the wallet on relays from their contents, the store and the mints' answers. Pure.
//!
//! Judges only what was read: an incompletely read relay lacks nothing, and conclusions from an
//! absence on all relays need all of them read completely.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey, State};

use crate::wallet::proofs::changes::sum_sats;

/// Maximum number of event ids in a finding.
const NAMED: usize = 5;

/// Kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// A relay lacks live token events that another shows.
    Partition,
    /// All proofs of some live events are spent.
    Ghost,
    /// Some unspent proofs are in no live event.
    Orphaned,
    /// A live event replaces events that were never seen here.
    BrokenChain,
    /// Some wallet events have other keys than the newest one.
    ForkedWallet,
    /// A relay shows events that were deleted elsewhere.
    Undeleted,
    /// No relay shows some history events any more.
    HistoryGap,
    /// Some deposits are paid, but their proofs are not issued.
    UnclaimedQuote,
    /// Some events of the wallet's key cannot be read completely.
    Malformed,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of problem.
    pub kind: FindingKind,
    /// The relay concerned. `None`: not a single one.
    pub relay: Option<String>,
    /// Number of events, proofs or history events.
    pub count: usize,
    /// Their value in sats, if known.
    pub sats: Option<u64>,
    /// Ids of the first events concerned.
    pub events: Vec<String>,
}

impl Finding {
    fn at(self, relay: &RelayContents) -> Self {
        Self { relay: Some(relay.url.clone()), ..self }
    }
}

/// A readable token event (kind 7375).
#[derive(Debug)]
pub(crate) struct Token {
    /// The mint, normalized if possible.
    pub(crate) mint: String,
    /// The unit.
    pub(crate) unit: String,
    /// The proofs, by Y.
    pub(crate) coins: BTreeMap<PublicKey, Proof>,
    /// Ids of the events it replaces.
    pub(crate) del: Vec<String>,
}

/// A wallet event (kind 17375): timestamp, id and public keys.
#[derive(Debug)]
pub(crate) struct Wallets {
    pub(crate) at: u64,
    pub(crate) id: String,
    pub(crate) keys: BTreeSet<String>,
}

/// Contents of one relay.
#[derive(Debug, Default)]
pub(crate) struct RelayContents {
    pub(crate) url: String,
    /// `true` if it was read completely.
    pub(crate) whole: bool,
    /// Ids of its token events, including unreadable ones.
    pub(crate) tokens: BTreeSet<String>,
    /// Ids named by its deletions.
    pub(crate) deleted: BTreeSet<String>,
}

/// Input for all findings.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) relays: Vec<RelayContents>,
    /// Readable token events of all relays, by id.
    pub(crate) tokens: BTreeMap<String, Token>,
    /// Ids of shown token events named by any deletion, or known to be gone.
    pub(crate) deleted: BTreeSet<String>,
    /// Ids of all token events that this wallet has ever seen.
    pub(crate) seen: BTreeSet<String>,
    /// Ids of token events that a history event names as destroyed.
    pub(crate) ended: BTreeSet<String>,
    /// `true` if some history events could not be read.
    pub(crate) ends_unread: bool,
    pub(crate) wallets: Vec<Wallets>,
    /// Ids of our key's events that cannot be read, or only in part.
    pub(crate) malformed: BTreeSet<String>,
    /// Ids of known history events that are neither on a relay nor queued.
    pub(crate) lost_lines: Vec<String>,
    /// Our own proofs believed to be unspent, and those left by other devices.
    pub(crate) held: BTreeMap<PublicKey, Proof>,
    /// The mints' answers about all these proofs.
    pub(crate) words: BTreeMap<PublicKey, State>,
    /// Paid quotes without issued proofs: id of the naming event, and sats, if known.
    pub(crate) quotes: Vec<(Option<String>, Option<u64>)>,
}

impl Evidence {
    /// Returns whether all relays were read completely.
    fn whole(&self) -> bool {
        self.relays.iter().all(|relay| relay.whole)
    }

    /// Returns the ids of deleted or replaced token events.
    fn gone(&self) -> BTreeSet<&str> {
        self.tokens
            .values()
            .flat_map(|token| &token.del)
            .chain(&self.deleted)
            .map(String::as_str)
            .collect()
    }

    /// Returns the ids of shown token events that are neither deleted nor replaced.
    pub(crate) fn live(&self) -> BTreeSet<&str> {
        let gone = self.gone();
        self.relays
            .iter()
            .flat_map(|relay| &relay.tokens)
            .map(String::as_str)
            .filter(|id| !gone.contains(id))
            .collect()
    }

    /// Returns the sat proofs of live events, each once.
    pub(crate) fn live_coins(&self) -> BTreeMap<PublicKey, &Proof> {
        let live = self.live();
        let tokens = self
            .tokens
            .iter()
            .filter(|(id, token)| live.contains(id.as_str()) && token.unit == "sat");
        tokens.flat_map(|(_, token)| token.coins.iter().map(|(y, proof)| (*y, proof))).collect()
    }

    /// Returns the live events that a relay lacks.
    pub(crate) fn lacking(&self, relay: &RelayContents) -> Vec<String> {
        let live = self.live().into_iter().filter(|id| relay.whole && !relay.tokens.contains(*id));
        live.map(str::to_owned).collect()
    }

    /// Returns events that a relay shows without a deletion, though they were deleted elsewhere.
    pub(crate) fn undeleted(&self, relay: &RelayContents) -> Vec<String> {
        let here = relay
            .tokens
            .iter()
            .filter(|id| relay.whole && self.deleted.contains(*id) && !relay.deleted.contains(*id));
        here.cloned().collect()
    }

    /// Returns all problems.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for relay in &self.relays {
            found.extend(
                finding(FindingKind::Partition, self.lacking(relay)).map(|one| one.at(relay)),
            );
        }
        found.extend(self.ghosts());
        found.extend(self.orphans());
        found.extend(finding(FindingKind::BrokenChain, self.missing()));
        found.extend(finding(FindingKind::ForkedWallet, self.forks()));
        for relay in &self.relays {
            found.extend(
                finding(FindingKind::Undeleted, self.undeleted(relay)).map(|one| one.at(relay)),
            );
        }
        found.extend(finding(FindingKind::HistoryGap, self.lost_lines.clone()));
        if !self.quotes.is_empty() {
            let sats =
                self.quotes.iter().filter_map(|(_, sats)| *sats).fold(0, u64::saturating_add);
            let events: Vec<String> =
                self.quotes.iter().filter_map(|(event, _)| event.clone()).take(NAMED).collect();
            found.push(Finding {
                kind: FindingKind::UnclaimedQuote,
                relay: None,
                count: self.quotes.len(),
                sats: (sats > 0).then_some(sats),
                events,
            });
        }
        found.extend(finding(FindingKind::Malformed, self.malformed.clone()));
        found
    }

    /// Finds live events whose proofs are all spent.
    fn ghosts(&self) -> Option<Finding> {
        let live = self.live();
        let spent = |y: &PublicKey| self.words.get(y) == Some(&State::Spent);
        let ghosts = self
            .tokens
            .iter()
            .filter(|(id, token)| live.contains(id.as_str()) && !token.coins.is_empty());
        let ghosts: Vec<_> = ghosts.filter(|(_, token)| token.coins.keys().all(spent)).collect();
        let coins: BTreeMap<&PublicKey, &Proof> =
            ghosts.iter().flat_map(|(_, token)| &token.coins).collect();
        finding(FindingKind::Ghost, ghosts.iter().map(|(id, _)| (*id).clone()))
            .map(|one| Finding { sats: Some(sum_sats(coins.into_values())), ..one })
    }

    /// Finds unspent proofs that no live event contains.
    fn orphans(&self) -> Option<Finding> {
        let shown = self.live_coins();
        let replaced =
            self.tokens.values().filter(|token| token.unit == "sat").flat_map(|token| &token.coins);
        let all: BTreeMap<&PublicKey, &Proof> = self.held.iter().chain(replaced).collect();
        let orphans = all.into_iter().filter(|(y, _)| {
            self.words.get(*y) == Some(&State::Unspent) && !shown.contains_key(*y)
        });
        let orphans: Vec<&Proof> = orphans.map(|(_, proof)| proof).collect();
        (self.whole() && !orphans.is_empty()).then(|| Finding {
            kind: FindingKind::Orphaned,
            relay: None,
            count: orphans.len(),
            sats: Some(sum_sats(orphans)),
            events: Vec::new(),
        })
    }

    /// Returns replaced events that no relay shows, that we never saw, and that no deletion or
    /// history event names. Relays that follow a deletion still show the deletion, so such an event
    /// was lost, and its contents are unknown.
    pub(crate) fn missing(&self) -> BTreeSet<String> {
        let live = self.live();
        let named = self
            .tokens
            .iter()
            .filter(|(id, _)| live.contains(id.as_str()))
            .flat_map(|(_, token)| &token.del);
        let known = |id: &String| {
            self.seen.contains(id)
                || self.ended.contains(id)
                || self
                    .relays
                    .iter()
                    .any(|relay| relay.tokens.contains(id) || relay.deleted.contains(id))
        };
        named.filter(|id| self.whole() && !self.ends_unread && !known(id)).cloned().collect()
    }

    /// Returns wallet events whose keys differ from the newest one's.
    fn forks(&self) -> BTreeSet<String> {
        let newest = self.wallets.iter().max_by_key(|one| (one.at, std::cmp::Reverse(&one.id)));
        let others = self.wallets.iter().filter(|one| newest.is_some_and(|it| it.keys != one.keys));
        others.map(|one| one.id.clone()).collect()
    }
}

/// Creates a finding about these events. `None` if there are none.
fn finding(kind: FindingKind, events: impl IntoIterator<Item = String>) -> Option<Finding> {
    let mut events: Vec<String> = events.into_iter().collect();
    let count = events.len();
    events.truncate(NAMED);
    (count > 0).then_some(Finding { kind, relay: None, count, sats: None, events })
}
