//! Plans the token events to publish, from the wallet's proofs and the live events. Pure.
//!
//! A live event is stale if it contains a spent or sent proof. Wanted proofs of stale events, and
//! proofs in no event, go into new events, which list the stale ones in `del`. The stale ones are
//! deleted once the new ones are stored. Never drops a proof that may be unspent, whichever device
//! owns it, and never touches events of unlisted mints.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey};

use crate::store::{OutboxView, TokenEventRow};

/// Maximum number of events replaced per mint and round; each takes 67 bytes in `del`.
const MOST_STALE: usize = 100;

/// One token event to create.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PlannedToken {
    pub(crate) mint: String,
    pub(crate) unit: String,
    pub(crate) ys: Vec<PublicKey>,
    pub(crate) proofs: Vec<Proof>,
    /// Ids of the events it replaces; only set on the last token of a mint.
    pub(crate) del: Vec<String>,
    /// Lower bound of its timestamp, exclusive: some programs ignore a successor that looks older.
    pub(crate) above: u64,
}

/// Planned changes at one mint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PlannedMint {
    pub(crate) mint: String,
    pub(crate) tokens: Vec<PlannedToken>,
    /// Ids of events to delete once all `tokens` are stored.
    pub(crate) stale: Vec<String>,
    /// Timestamp of the newest stale event.
    pub(crate) above: u64,
    pub(crate) unit: String,
    /// Amounts of our own proofs that were added and removed, for the history.
    pub(crate) came: u64,
    pub(crate) left: u64,
}

/// Plan of one round.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) mints: Vec<PlannedMint>,
    /// Change marks to clear when the plan is committed.
    pub(crate) done: Vec<(PublicKey, u64)>,
}

/// Plans a round. `listed` is `true` for mints (normalized) whose proofs we publish, `fits` for
/// tokens small enough for one event.
pub(crate) fn plan(
    view: &OutboxView,
    listed: impl Fn(&str) -> bool,
    fits: impl Fn(&PlannedToken) -> bool,
) -> Plan {
    let wanted =
        |y: &PublicKey| view.proofs.get(y).is_some_and(|coin| coin.wanted && coin.proof.is_some());
    let is_stale = |event: &TokenEventRow| {
        !event.partial && listed(&event.mint) && event.ys.iter().any(|y| !wanted(y))
    };
    let mut stale: BTreeMap<(&str, &str), Vec<&TokenEventRow>> = BTreeMap::new();
    let mut shown: BTreeSet<PublicKey> = view.elsewhere.clone();
    let mut later: BTreeSet<PublicKey> = BTreeSet::new();
    for event in &view.events {
        if !is_stale(event) {
            shown.extend(event.ys.iter().copied());
            continue;
        }
        let group = stale.entry((event.mint.as_str(), event.unit.as_str())).or_default();
        if group.len() < MOST_STALE {
            group.push(event);
        } else {
            later.extend(event.ys.iter().copied());
            shown.extend(event.ys.iter().copied());
        }
    }
    let mut keep: BTreeMap<(&str, &str), BTreeMap<PublicKey, bool>> = BTreeMap::new();
    for (group, events) in &stale {
        let ys =
            events.iter().flat_map(|event| &event.ys).filter(|y| wanted(y) && !shown.contains(*y));
        keep.entry(*group).or_default().extend(ys.map(|y| (*y, false)));
    }
    for (y, _) in &view.dirty {
        let Some(coin) = view.proofs.get(y).filter(|coin| listed(&coin.mint)) else { continue };
        if wanted(y) && !shown.contains(y) {
            keep.entry((coin.mint.as_str(), coin.unit.as_str()))
                .or_default()
                .entry(*y)
                .or_insert(coin.ours);
        }
    }
    let groups: BTreeSet<(&str, &str)> = stale.keys().chain(keep.keys()).copied().collect();
    let mut plan = Plan::default();
    for group in groups {
        let events = stale.get(&group).map_or(&[][..], Vec::as_slice);
        let keep = keep.get(&group).cloned().unwrap_or_default();
        let planned = one_mint(view, group, events, &keep, &fits);
        if !planned.tokens.is_empty() || !planned.stale.is_empty() {
            plan.mints.push(planned);
        }
    }
    plan.done = view.dirty.iter().filter(|(y, _)| !later.contains(y)).copied().collect();
    plan
}

/// Plans one mint. `keep` maps each proof to `true` if it is new on relays.
fn one_mint(
    view: &OutboxView,
    (mint, unit): (&str, &str),
    events: &[&TokenEventRow],
    keep: &BTreeMap<PublicKey, bool>,
    fits: &impl Fn(&PlannedToken) -> bool,
) -> PlannedMint {
    let above = events.iter().map(|event| event.created_at).max().unwrap_or(0);
    let empty = || PlannedToken {
        mint: mint.to_owned(),
        unit: unit.to_owned(),
        above,
        ..PlannedToken::default()
    };
    let stale: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    let mut tokens = Vec::new();
    let mut token = empty();
    for y in keep.keys() {
        let Some(proof) = view.proofs.get(y).and_then(|coin| coin.proof.clone()) else { continue };
        token.ys.push(*y);
        token.proofs.push(proof);
        if !fits(&token) && token.ys.len() > 1 {
            let (last, coin) = (token.ys.pop(), token.proofs.pop());
            tokens.push(std::mem::replace(&mut token, empty()));
            token.ys.extend(last);
            token.proofs.extend(coin);
        }
    }
    if !token.ys.is_empty() {
        tokens.push(token);
    }
    if let Some(last) = tokens.last_mut() {
        last.del.clone_from(&stale);
    }
    let amount =
        |y: &PublicKey| view.proofs.get(y).filter(|coin| coin.ours).map_or(0, |coin| coin.amount);
    let came =
        keep.iter().filter(|(_, new)| **new).map(|(y, _)| amount(y)).fold(0, u64::saturating_add);
    let unwanted = |y: &&PublicKey| view.proofs.get(*y).is_none_or(|coin| !coin.wanted);
    let gone: BTreeSet<&PublicKey> =
        events.iter().flat_map(|event| &event.ys).filter(unwanted).collect();
    let left = gone.into_iter().map(amount).fold(0, u64::saturating_add);
    PlannedMint { mint: mint.to_owned(), tokens, stale, above, unit: unit.to_owned(), came, left }
}

#[cfg(test)]
mod tests;
