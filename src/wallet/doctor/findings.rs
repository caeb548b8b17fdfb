//! What can be wrong with a wallet on relays, from what they showed, what the store knows and what
//! the mints said: pure.
//!
//! Only what was read is judged: what a relay that was not read to its end does not show is nothing
//! that it lacks. What follows from an absence everywhere is found only where every relay was read
//! to its end.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey, State};

use crate::wallet::proofs::changes::sum_sats;

/// Ids of events that a finding names.
const NAMED: usize = 5;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// A relay does not show live events of coins that another does.
    Partition,
    /// The coins of live events are spent.
    Ghost,
    /// No live event holds coins that are unspent.
    Orphaned,
    /// A live event replaces events that were never seen here.
    BrokenChain,
    /// Wallet events have other keys than the newest one.
    ForkedWallet,
    /// A relay shows events that are deleted elsewhere.
    Undeleted,
    /// No relay shows lines of the history any more.
    HistoryGap,
    /// Deposits are paid, and nobody has claimed their coins.
    UnclaimedQuote,
    /// Events of the wallet's key cannot be read as a whole.
    Malformed,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The relay where it is. `None`: it is of no single one.
    pub relay: Option<String>,
    /// How many events, coins or lines.
    pub count: usize,
    /// What they are worth, where that is known.
    pub sats: Option<u64>,
    /// Ids of the events that it is about, the first of them.
    pub events: Vec<String>,
}

impl Finding {
    fn at(self, relay: &RelayContents) -> Self {
        Self { relay: Some(relay.url.clone()), ..self }
    }
}

/// A token event (kind 7375) that could be read.
#[derive(Debug)]
pub(crate) struct Token {
    /// Its mint, in the one written form where it has one.
    pub(crate) mint: String,
    /// Its unit.
    pub(crate) unit: String,
    /// Its coins.
    pub(crate) coins: BTreeMap<PublicKey, Proof>,
    /// The events it says it replaces.
    pub(crate) del: Vec<String>,
}

/// A wallet event (kind 17375): its place among others, and the public halves of its keys.
#[derive(Debug)]
pub(crate) struct Wallets {
    pub(crate) at: u64,
    pub(crate) id: String,
    pub(crate) keys: BTreeSet<String>,
}

/// What one relay showed.
#[derive(Debug, Default)]
pub(crate) struct RelayContents {
    pub(crate) url: String,
    /// It was read to its end.
    pub(crate) whole: bool,
    /// Ids of its token events, unreadable ones too.
    pub(crate) tokens: BTreeSet<String>,
    /// Ids that its deletions name.
    pub(crate) deleted: BTreeSet<String>,
}

/// All that a judgement needs.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) relays: Vec<RelayContents>,
    /// Readable token events of all relays.
    pub(crate) tokens: BTreeMap<String, Token>,
    /// Ids among those shown that a deletion names, on any relay, or that the wallet knows as gone.
    pub(crate) deleted: BTreeSet<String>,
    /// Token events that this wallet has ever seen.
    pub(crate) seen: BTreeSet<String>,
    /// Token events that a line of the history names as ended.
    pub(crate) ended: BTreeSet<String>,
    /// Not all such lines could be read.
    pub(crate) ends_unread: bool,
    pub(crate) wallets: Vec<Wallets>,
    /// Events of our key that cannot be read, or only in part.
    pub(crate) malformed: BTreeSet<String>,
    /// Lines of the history that the wallet wrote or read, and that neither a relay nor the queue
    /// has.
    pub(crate) lost_lines: Vec<String>,
    /// Coins of our own that are unspent as far as we know, and others that a device left.
    pub(crate) held: BTreeMap<PublicKey, Proof>,
    /// What the mints said of all coins above.
    pub(crate) words: BTreeMap<PublicKey, State>,
    /// Quotes that are paid and not claimed: the event, where it is one, and the sats, where they
    /// are known.
    pub(crate) quotes: Vec<(Option<String>, Option<u64>)>,
}

impl Evidence {
    /// Every relay was read to its end.
    fn whole(&self) -> bool {
        self.relays.iter().all(|relay| relay.whole)
    }

    /// A token event is gone: deleted, or replaced.
    fn gone(&self) -> BTreeSet<&str> {
        self.tokens
            .values()
            .flat_map(|token| &token.del)
            .chain(&self.deleted)
            .map(String::as_str)
            .collect()
    }

    /// Token events that some relay shows and nothing takes away.
    pub(crate) fn live(&self) -> BTreeSet<&str> {
        let gone = self.gone();
        self.relays
            .iter()
            .flat_map(|relay| &relay.tokens)
            .map(String::as_str)
            .filter(|id| !gone.contains(id))
            .collect()
    }

    /// Coins in sats of live events, each once.
    pub(crate) fn live_coins(&self) -> BTreeMap<PublicKey, &Proof> {
        let live = self.live();
        let tokens = self
            .tokens
            .iter()
            .filter(|(id, token)| live.contains(id.as_str()) && token.unit == "sat");
        tokens.flat_map(|(_, token)| token.coins.iter().map(|(y, proof)| (*y, proof))).collect()
    }

    /// Live events that a relay lacks.
    pub(crate) fn lacking(&self, relay: &RelayContents) -> Vec<String> {
        let live = self.live().into_iter().filter(|id| relay.whole && !relay.tokens.contains(*id));
        live.map(str::to_owned).collect()
    }

    /// Events that a relay shows, that are deleted elsewhere, and of which it shows no deletion
    /// itself.
    pub(crate) fn undeleted(&self, relay: &RelayContents) -> Vec<String> {
        let here = relay
            .tokens
            .iter()
            .filter(|id| relay.whole && self.deleted.contains(*id) && !relay.deleted.contains(*id));
        here.cloned().collect()
    }

    /// What is wrong.
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

    /// Live events whose coins are all spent.
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

    /// Unspent coins that no live event holds.
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

    /// Events that a live one replaces, that nobody shows, that we never saw, and that neither a
    /// deletion nor a line of history names: what they held cannot be known. A relay that follows a
    /// deletion shows the deletion; so this is an event that was lost.
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

    /// Wallet events whose keys are not those of the newest.
    fn forks(&self) -> BTreeSet<String> {
        let newest = self.wallets.iter().max_by_key(|one| (one.at, std::cmp::Reverse(&one.id)));
        let others = self.wallets.iter().filter(|one| newest.is_some_and(|it| it.keys != one.keys));
        others.map(|one| one.id.clone()).collect()
    }
}

/// A finding about these events. `None`: there are none.
fn finding(kind: FindingKind, events: impl IntoIterator<Item = String>) -> Option<Finding> {
    let mut events: Vec<String> = events.into_iter().collect();
    let count = events.len();
    events.truncate(NAMED);
    (count > 0).then_some(Finding { kind, relay: None, count, sats: None, events })
}
