//! After any calls: sums and indexes match the rows, only a revive undoes Spent, and an operation
//! in the journal has all proofs that it held, unless they are spent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use proptest::prelude::*;
use uuid::Uuid;

use super::super::{Change, OperationRow, Store};
use super::samples::{audit, coins, store};

static POOL: LazyLock<Vec<ProofInfo>> =
    LazyLock::new(|| coins(&[1, 1, 2, 2, 4, 4, 8, 16, 32, 64, 128, 1024]));

#[derive(Clone, Debug)]
enum Call {
    Add(Vec<usize>, State, Option<u8>),
    Set(Vec<usize>, State, Option<u8>),
    /// An operation with unspent proofs, which holds its inputs or does not.
    Take(Vec<usize>, u8, bool),
    /// Proofs are freed, and perhaps an operation ends.
    Free(Vec<usize>, Option<u8>),
    Write(u8, bool),
    End(u8),
    Revive(Vec<usize>, State),
}

fn some() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..POOL.len(), 1..4)
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::Unspent,
        State::Reserved,
        State::Pending,
        State::PendingSpent,
        State::Spent,
    ])
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => (some(), state(), prop::option::of(0..3_u8)).prop_map(|(ys, to, by)| Call::Add(ys, to, by)),
        2 => (some(), state(), prop::option::of(0..3_u8)).prop_map(|(ys, to, by)| Call::Set(ys, to, by)),
        3 => (some(), 0..3_u8, any::<bool>()).prop_map(|(ys, by, holds)| Call::Take(ys, by, holds)),
        3 => (some(), prop::option::of(0..3_u8)).prop_map(|(ys, ended)| Call::Free(ys, ended)),
        1 => (0..3_u8, any::<bool>()).prop_map(|(by, holds)| Call::Write(by, holds)),
        1 => (0..3_u8).prop_map(Call::End),
        1 => (some(), prop::sample::select(vec![State::Unspent, State::PendingSpent])).prop_map(|(ys, to)| Call::Revive(ys, to)),
    ]
}

fn operation(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn ys(places: &[usize]) -> Vec<PublicKey> {
    places.iter().map(|at| POOL[*at].y).collect()
}

fn write(by: u8, holds: bool) -> Change {
    Change::Operation(OperationRow { id: operation(by), holds, body: vec![by], subject: None })
}

fn set(places: &[usize], expect: Option<Vec<State>>, to: State, by: Option<u8>) -> Change {
    Change::ProofState { ys: ys(places), expect, to, operation: by.map(operation) }
}

fn changes(call: Call) -> Vec<Change> {
    match call {
        Call::Add(places, to, by) => {
            let with = |at: &usize| ProofInfo {
                state: to,
                used_by_operation: by.map(operation),
                ..POOL[*at].clone()
            };
            vec![Change::Proofs { add: places.iter().map(with).collect() }]
        }
        Call::Set(places, to, by) => vec![set(&places, None, to, by)],
        Call::Take(places, by, holds) => vec![
            write(by, holds),
            set(&places, Some(vec![State::Unspent]), State::Reserved, Some(by)),
        ],
        Call::Free(places, ended) => {
            let held = [State::Reserved, State::Pending, State::PendingSpent];
            let mut changes = vec![set(&places, Some(held.to_vec()), State::Unspent, None)];
            changes.extend(ended.map(|by| Change::EndOperation(operation(by))));
            changes
        }
        Call::Write(by, holds) => vec![write(by, holds)],
        Call::End(by) => vec![Change::EndOperation(operation(by))],
        Call::Revive(places, to) => vec![Change::Revive { ys: ys(&places), to }],
    }
}

async fn spent(store: &Store) -> BTreeSet<PublicKey> {
    store
        .proofs_in(Some(vec![State::Spent]))
        .await
        .unwrap()
        .into_iter()
        .map(|info| info.y)
        .collect()
}

/// Returns the proofs that an operation has, each with the operation.
async fn held(store: &Store) -> BTreeMap<PublicKey, Uuid> {
    let states = vec![State::Reserved, State::Pending, State::PendingSpent];
    let coins = store.proofs_in(Some(states)).await.unwrap();
    coins.into_iter().filter_map(|info| Some((info.y, info.used_by_operation?))).collect()
}

async fn play(store: Store, calls: Vec<Call>) {
    for call in calls {
        let (gone, had) = (spent(&store).await, held(&store).await);
        let revives = matches!(call, Call::Revive(..));
        // Refusals are expected: only the result counts.
        drop(store.commit(changes(call)).await);
        let (now_gone, has) = (spent(&store).await, held(&store).await);
        assert!(revives || gone.is_subset(&now_gone), "a spent proof came back");
        for row in store.operations().await.unwrap().into_iter().filter(|row| row.holds) {
            let kept = |y: &PublicKey| now_gone.contains(y) || has.get(y) == Some(&row.id);
            assert!(
                had.iter().filter(|(_, by)| **by == row.id).all(|(y, _)| kept(y)),
                "an operation in the journal lost a coin"
            );
        }
        audit(&store).await;
        let live = store.proofs_in(None).await.unwrap();
        let sum: u64 = live.iter().map(|info| info.proof.amount.to_u64()).sum();
        let balances = store.balances().await.unwrap();
        assert_eq!(
            balances.iter().map(|one| one.unspent + one.pending + one.pending_spent).sum::<u64>(),
            sum
        );
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
