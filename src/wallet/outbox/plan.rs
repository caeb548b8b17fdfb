//! Plans the token events to publish, from the wallet's proofs and the live events. Pure.
//!
//! A live event is stale if it contains a spent or sent proof. Wanted proofs of stale events, and
//! proofs in no event, go into new events, which list the stale ones in `del`. The stale ones are
//! deleted once the new ones are stored. Never drops a proof that may be unspent, whichever device
//! owns it, and never touches events of unlisted mints.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey};

use crate::store::{OutboxView, TokenEventRow};

/// The most events replaced per mint and round; each takes 67 bytes in `del`.
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

/// Plans a round. `listed` is true for mints (normalized) whose proofs we publish, `fits` for
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

/// Plans one mint. `keep` maps each proof to true if it is new on relays.
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
mod tests {
    use std::str::FromStr;

    use cdk_common::Amount;
    use cdk_common::nuts::Id;
    use cdk_common::secret::Secret;
    use proptest::prelude::*;

    use super::*;
    use crate::store::HeldProof;

    const MINT: &str = "https://mint.example";

    fn coin(number: u8) -> (PublicKey, Proof) {
        let secret = Secret::new(format!("secret {number}"));
        let y = cdk_common::dhke::hash_to_curve(secret.as_bytes()).unwrap();
        let proof = Proof {
            amount: Amount::from(1),
            keyset_id: Id::from_str("009a1f293253e41e").unwrap(),
            secret,
            c: y,
            witness: None,
            dleq: None,
            p2pk_e: None,
        };
        (y, proof)
    }

    fn event(id: u8, coins: &[u8]) -> TokenEventRow {
        TokenEventRow {
            id: format!("{id:064}"),
            mint: MINT.to_owned(),
            unit: "sat".to_owned(),
            created_at: u64::from(id),
            ys: coins.iter().map(|number| coin(*number).0).collect(),
            partial: false,
            json: String::new(),
        }
    }

    fn view(dirty: &[u8], wanted: &[u8], events: Vec<TokenEventRow>) -> OutboxView {
        let mut view = OutboxView {
            dirty: dirty.iter().map(|one| (coin(*one).0, 1)).collect(),
            events,
            ..OutboxView::default()
        };
        for number in 0..32 {
            let (y, proof) = coin(number);
            let wanted = wanted.contains(&number);
            let coin = HeldProof {
                mint: MINT.to_owned(),
                unit: "sat".to_owned(),
                amount: 1,
                proof: Some(proof),
                wanted,
                ours: true,
            };
            view.proofs.insert(y, coin);
        }
        view
    }

    fn small(token: &PlannedToken) -> bool {
        token.ys.len() <= 3
    }

    #[test]
    fn a_spent_coin_replaces_its_event_by_one_with_the_rest() {
        let plan = plan(&view(&[1], &[0, 2], vec![event(9, &[0, 1, 2])]), |_| true, small);
        let [mint] = plan.mints.as_slice() else { panic!("{plan:?}") };
        let [token] = mint.tokens.as_slice() else { panic!("{plan:?}") };
        assert_eq!(
            (token.ys.len(), token.del.len(), token.above, mint.left, mint.came),
            (2, 1, 9, 1, 0)
        );
    }

    #[test]
    fn an_event_of_nothing_but_spent_coins_is_deleted_without_a_successor() {
        let plan = plan(&view(&[1], &[], vec![event(9, &[1])]), |_| true, small);
        assert!(plan.mints.iter().all(|mint| mint.tokens.is_empty() && mint.stale.len() == 1));
    }

    #[test]
    fn nothing_of_an_unlisted_mint_is_touched() {
        let plan = plan(&view(&[1, 2], &[2], vec![event(9, &[1])]), |_| false, small);
        assert!(plan.mints.is_empty());
        assert_eq!(plan.done.len(), 2);
    }

    proptest! {
        /// Executing a plan leaves every wanted proof that changed or was in a replaced event in
        /// some live event and no unwanted proof in any, and names each replaced event exactly
        /// once.
        #[test]
        fn a_plan_loses_no_coin_and_shows_no_spent_one(
            wanted in prop::collection::btree_set(0_u8..32, 0..32),
            dirty in prop::collection::btree_set(0_u8..32, 0..32),
            events in prop::collection::vec(prop::collection::btree_set(0_u8..32, 1..6), 0..12),
        ) {
            let wanted: Vec<u8> = wanted.into_iter().collect();
            let dirty: Vec<u8> = dirty.into_iter().collect();
            let rows: Vec<TokenEventRow> = events.iter().zip(0_u8..).map(|(coins, id)| event(id, &coins.iter().copied().collect::<Vec<_>>())).collect();
            let plan = plan(&view(&dirty, &wanted, rows.clone()), |_| true, small);
            let gone: BTreeSet<&String> = plan.mints.iter().flat_map(|mint| &mint.stale).collect();
            let mut after: Vec<Vec<PublicKey>> = rows.iter().filter(|row| !gone.contains(&row.id)).map(|row| row.ys.clone()).collect();
            after.extend(plan.mints.iter().flat_map(|mint| &mint.tokens).map(|token| token.ys.clone()));
            let shown: BTreeSet<PublicKey> = after.iter().flatten().copied().collect();
            let before: BTreeSet<PublicKey> = rows.iter().flat_map(|row| row.ys.clone()).collect();
            for number in 0..32 {
                let y = coin(number).0;
                if wanted.contains(&number) {
                    prop_assert!(!(before.contains(&y) || dirty.contains(&number)) || shown.contains(&y), "coin {} is lost", number);
                } else {
                    prop_assert!(!shown.contains(&y), "coin {} is shown", number);
                }
            }
            for mint in &plan.mints {
                let named: Vec<&String> = mint.tokens.iter().flat_map(|token| &token.del).collect();
                prop_assert!(mint.tokens.is_empty() || named.len() == mint.stale.len());
                prop_assert!(mint.tokens.iter().all(small));
            }
            let twice: Vec<PublicKey> = plan.mints.iter().flat_map(|mint| &mint.tokens).flat_map(|token| token.ys.clone()).collect();
            prop_assert_eq!(twice.len(), twice.iter().collect::<BTreeSet<_>>().len());
        }
    }
}
