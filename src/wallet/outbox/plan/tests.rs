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
