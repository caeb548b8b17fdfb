//! After any calls: sums, shelf and indexes say what the rows say, and nothing but a revive undoes Spent.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cdk_common::database::WalletDatabase as _;
use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use proptest::prelude::*;
use uuid::Uuid;

use super::super::view::View;
use super::super::{Change, Store};
use super::samples::{audit, coins, store};

static POOL: LazyLock<Vec<ProofInfo>> = LazyLock::new(|| coins(&[1, 1, 2, 2, 4, 4, 8, 16, 32, 64, 128, 1024]));

#[derive(Clone, Debug)]
enum Call {
    Add(Vec<usize>, State, Option<u8>),
    Remove(Vec<usize>),
    Set(Vec<usize>, State),
    Reserve(Vec<usize>, u8),
    Release(u8),
    Ours(Vec<usize>, State, Option<u8>),
    Revive(Vec<usize>),
}

fn some() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..POOL.len(), 1..4)
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![State::Unspent, State::Reserved, State::Pending, State::PendingSpent, State::Spent])
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => (some(), state(), prop::option::of(0..3_u8)).prop_map(|(ys, to, by)| Call::Add(ys, to, by)),
        1 => some().prop_map(Call::Remove),
        2 => (some(), state()).prop_map(|(ys, to)| Call::Set(ys, to)),
        3 => (some(), 0..3_u8).prop_map(|(ys, by)| Call::Reserve(ys, by)),
        2 => (0..3_u8).prop_map(Call::Release),
        2 => (some(), state(), prop::option::of(0..3_u8)).prop_map(|(ys, to, by)| Call::Ours(ys, to, by)),
        1 => some().prop_map(Call::Revive),
    ]
}

fn operation(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn ys(places: &[usize]) -> Vec<PublicKey> {
    places.iter().map(|at| POOL[*at].y).collect()
}

/// Refusals are part of the game: what matters is what is there afterwards.
async fn make(view: &View, call: Call) {
    let store = &view.store;
    match call {
        Call::Add(places, to, by) => {
            let with = |at: &usize| ProofInfo { state: to, used_by_operation: by.map(operation), ..POOL[*at].clone() };
            drop(view.update_proofs(places.iter().map(with).collect(), vec![]).await);
        }
        Call::Remove(places) => drop(view.update_proofs(vec![], ys(&places)).await),
        Call::Set(places, to) => drop(view.update_proofs_state(ys(&places), to).await),
        Call::Reserve(places, by) => drop(view.reserve_proofs(ys(&places), &operation(by)).await),
        Call::Release(by) => drop(view.release_proofs(&operation(by)).await),
        Call::Ours(places, to, by) => {
            let change = Change::ProofState { ys: ys(&places), expect: None, to, operation: by.map(operation) };
            drop(store.commit(vec![change]).await);
        }
        Call::Revive(places) => drop(store.revive(ys(&places)).await),
    }
}

async fn spent(view: &View) -> BTreeSet<PublicKey> {
    let proofs = view.get_proofs(None, None, Some(vec![State::Spent]), None).await.unwrap();
    proofs.into_iter().map(|info| info.y).collect()
}

async fn play(store: Store, calls: Vec<Call>) {
    let view = View { store, device: 0 };
    let mut removed: BTreeSet<PublicKey> = BTreeSet::new();
    for call in calls {
        let before = spent(&view).await;
        let revives = matches!(call, Call::Revive(_));
        let removes = if let Call::Remove(places) = &call { ys(places) } else { vec![] };
        make(&view, call).await;
        let after = spent(&view).await;
        removed.extend(removes.into_iter().filter(|y| !before.contains(y)));
        let back: Vec<_> = before.difference(&after).collect();
        assert!(revives || back.iter().all(|y| removed.contains(y)), "a spent proof came back");
        removed.retain(|y| after.contains(y));
        audit(&view.store).await;
        let live = view.get_proofs(None, None, None, None).await.unwrap();
        let sum: u64 = live.iter().map(|info| info.proof.amount.to_u64()).sum();
        assert_eq!(view.get_balance(None, None, None).await.unwrap(), sum);
        let balances = view.store.balances().await.unwrap();
        assert_eq!(balances.iter().map(|one| one.unspent + one.pending + one.pending_spent).sum::<u64>(), sum);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn sums_and_indexes_follow_every_call(calls in prop::collection::vec(call(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { play(store().await, calls).await });
    }
}
