//! What can be wrong with a wallet on relays, from what they showed, what the store knows and what
//! the mints said: pure.
//!
//! Only what was read is judged: what a relay that was not read to its end does not show is nothing
//! that it lacks. What follows from an absence everywhere is found only where every relay was read
//! to its end.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey, State};

use super::super::coins::sum_sats;
use super::super::view::Finding;

/// Ids of events that a finding names.
const NAMED: usize = 5;

/// A token event (kind 7375) that could be read.
#[derive(Debug)]
pub(super) struct Token {
    /// Its mint, in the one written form where it has one.
    pub(super) mint: String,
    /// Its unit.
    pub(super) unit: String,
    /// Its coins.
    pub(super) coins: BTreeMap<PublicKey, Proof>,
    /// The events it says it replaces.
    pub(super) del: Vec<String>,
}

/// A wallet event (kind 17375): its place among others, and the public halves of its keys.
#[derive(Debug)]
pub(super) struct Wallets {
    pub(super) at: u64,
    pub(super) id: String,
    pub(super) keys: BTreeSet<String>,
}

/// What one relay showed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) url: String,
    /// It was read to its end.
    pub(super) whole: bool,
    /// Ids of its token events, unreadable ones too.
    pub(super) tokens: BTreeSet<String>,
    /// Ids that its deletions name.
    pub(super) deleted: BTreeSet<String>,
}

/// All that a judgement needs.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) relays: Vec<Shown>,
    /// Readable token events of all relays.
    pub(super) tokens: BTreeMap<String, Token>,
    /// Ids among those shown that a deletion names, on any relay, or that the wallet knows as gone.
    pub(super) deleted: BTreeSet<String>,
    /// Token events that this wallet has ever seen.
    pub(super) seen: BTreeSet<String>,
    /// Token events that a line of the history names as ended.
    pub(super) ended: BTreeSet<String>,
    /// Not all such lines could be read.
    pub(super) ends_unread: bool,
    pub(super) wallets: Vec<Wallets>,
    /// Events of our key that cannot be read, or only in part.
    pub(super) malformed: BTreeSet<String>,
    /// Lines of the history that the wallet wrote or read, and that neither a relay nor the queue
    /// has.
    pub(super) lost_lines: Vec<String>,
    /// Coins of our own that are unspent as far as we know, and others that a device left.
    pub(super) held: BTreeMap<PublicKey, Proof>,
    /// What the mints said of all coins above.
    pub(super) words: BTreeMap<PublicKey, State>,
    /// Quotes that are paid and not claimed: the event, where it is one, and the sats, where they
    /// are known.
    pub(super) quotes: Vec<(Option<String>, Option<u64>)>,
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
    pub(super) fn live(&self) -> BTreeSet<&str> {
        let gone = self.gone();
        self.relays
            .iter()
            .flat_map(|relay| &relay.tokens)
            .map(String::as_str)
            .filter(|id| !gone.contains(id))
            .collect()
    }

    /// Coins in sats of live events, each once.
    pub(super) fn live_coins(&self) -> BTreeMap<PublicKey, &Proof> {
        let live = self.live();
        let tokens = self
            .tokens
            .iter()
            .filter(|(id, token)| live.contains(id.as_str()) && token.unit == "sat");
        tokens.flat_map(|(_, token)| token.coins.iter().map(|(y, proof)| (*y, proof))).collect()
    }

    /// Live events that a relay lacks.
    pub(super) fn lacking(&self, relay: &Shown) -> Vec<String> {
        let live = self.live().into_iter().filter(|id| relay.whole && !relay.tokens.contains(*id));
        live.map(str::to_owned).collect()
    }

    /// Events that a relay shows, that are deleted elsewhere, and of which it shows no deletion
    /// itself.
    pub(super) fn undeleted(&self, relay: &Shown) -> Vec<String> {
        let here = relay
            .tokens
            .iter()
            .filter(|id| relay.whole && self.deleted.contains(*id) && !relay.deleted.contains(*id));
        here.cloned().collect()
    }

    /// What is wrong.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for relay in &self.relays {
            found.extend(
                finding(
                    "partition",
                    self.lacking(relay),
                    "live events of coins that this relay does not show, and another does",
                    "`nutpurse sync` brings them there",
                )
                .map(|one| Finding { relay: Some(relay.url.clone()), ..one }),
            );
        }
        found.extend(self.ghosts());
        found.extend(self.orphans());
        found.extend(self.broken_chain());
        found.extend(self.fork());
        for relay in &self.relays {
            found.extend(
                finding(
                    "deletion not propagated",
                    self.undeleted(relay),
                    "events that this relay shows, and that are deleted elsewhere: other programs may count their coins",
                    "`nutpurse sync` sends it the deletion again; where it stays so, the relay keeps no deletions: use another",
                )
                .map(|one| Finding { relay: Some(relay.url.clone()), ..one }),
            );
        }
        found.extend(finding(
            "gap in history",
            self.lost_lines.clone(),
            "lines that this wallet wrote or read when coins came or went, and that no relay shows any more",
            "no coin depends on them, and this wallet's own history is whole (`nutpurse list-history`); other programs show less of the past",
        ));
        if !self.quotes.is_empty() {
            let sats =
                self.quotes.iter().filter_map(|(_, sats)| *sats).fold(0, u64::saturating_add);
            let events: Vec<String> =
                self.quotes.iter().filter_map(|(event, _)| event.clone()).take(NAMED).collect();
            found.push(Finding {
                finding: "quote in limbo",
                relay: None,
                count: self.quotes.len(),
                sats: (sats > 0).then_some(sats),
                what: "deposits that are paid at their mint, and whose coins nobody has claimed",
                mend: "the wallet claims its own once it runs (`nutpurse sync`); of another program's, open that program",
                events,
            });
        }
        found.extend(finding(
            "malformed event",
            self.malformed.iter().cloned().collect(),
            "events of the wallet's key that cannot be opened or read as a whole; they are left as they are",
            "open the wallet with the program that wrote them; what they hold counts nowhere here",
        ));
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
        finding(
            "ghost token",
            ghosts.iter().map(|(id, _)| (*id).clone()).collect(),
            "live events of coins that their mint calls spent: other programs may count them",
            "`nutpurse sync` asks the mint and deletes them",
        )
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
            finding: "orphaned proofs",
            relay: None,
            count: orphans.len(),
            sats: Some(sum_sats(orphans)),
            what: "coins that their mint calls unspent, and that no live event on any relay holds: other devices do not see them",
            mend: "`nutpurse sync` puts them into an event",
            events: Vec::new(),
        })
    }

    /// Events that a live one replaces, that nobody shows, that we never saw, and that neither a
    /// deletion nor a line of history names: what they held cannot be known. A relay that follows a
    /// deletion shows the deletion; so this is an event that was lost.
    pub(super) fn missing(&self) -> BTreeSet<String> {
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

    fn broken_chain(&self) -> Option<Finding> {
        finding(
            "broken chain of del",
            self.missing().into_iter().collect(),
            "events that a live one says it replaces, and that were never seen here: what they held beyond it is not known",
            "run `sync` on the device or program that wrote them; `nutpurse restore` finds coins made from this wallet's words",
        )
    }

    /// Wallet events whose keys differ.
    fn fork(&self) -> Option<Finding> {
        let newest = self.wallets.iter().max_by_key(|one| (one.at, std::cmp::Reverse(&one.id)))?;
        let others: BTreeSet<String> = self
            .wallets
            .iter()
            .filter(|one| one.keys != newest.keys)
            .map(|one| one.id.clone())
            .collect();
        finding(
            "forked wallet event",
            others.into_iter().collect(),
            "wallet events (kind 17375) with other keys than the newest one has: a program that reads one of them cannot open every nutzap",
            "`nutpurse sync` writes one with every key",
        )
    }
}

/// A finding about these events. `None`: there are none.
fn finding(
    name: &'static str,
    events: Vec<String>,
    what: &'static str,
    mend: &'static str,
) -> Option<Finding> {
    let (count, mut events) = (events.len(), events);
    events.truncate(NAMED);
    (count > 0).then_some(Finding {
        finding: name,
        relay: None,
        count,
        sats: None,
        what,
        mend,
        events,
    })
}
