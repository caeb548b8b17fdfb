//! Second safeguard: no commit frees the proofs of an operation in the journal, or gives them to
//! another.

use cdk_common::nuts::State;
use cdk_common::wallet::ProofInfo;
use uuid::Uuid;

use super::super::{Change, OperationRow, Store, StoreError};
use super::disk::Disk;
use super::samples::{audit, clock, coins, mint, operation, store, take, ys};

/// Creates two proofs, of 6 sats together, that an operation holds.
async fn held(store: &Store, row: &OperationRow) -> Vec<ProofInfo> {
    let infos = coins(&[4, 2]);
    let changes = vec![
        Change::Proofs { add: infos.clone() },
        Change::Operation(row.clone()),
        take(&infos, row.id),
    ];
    store.commit(changes).await.unwrap();
    infos
}

/// Creates a store with an operation in its journal, and the operation's proofs.
async fn holding() -> (Store, OperationRow, Vec<ProofInfo>) {
    let (store, row) = (store().await, operation(true));
    let infos = held(&store, &row).await;
    (store, row, infos)
}

/// Sets the proofs to this state, whatever their state is.
fn turn(infos: &[ProofInfo], to: State, operation: Option<Uuid>) -> Change {
    Change::ProofState { ys: ys(infos), expect: None, to, operation }
}

fn free(infos: &[ProofInfo]) -> Change {
    turn(infos, State::Unspent, None)
}

async fn is_refused(store: &Store, changes: Vec<Change>) {
    let told = store.commit(changes.clone()).await;
    assert!(matches!(told, Err(StoreError::Undecided)), "{told:?}: {changes:?}");
}

/// Returns the sats that are free and those that are held.
async fn sums(store: &Store) -> (u64, u64) {
    store.balances().await.unwrap().first().map_or((0, 0), |one| (one.unspent, one.pending))
}

#[tokio::test]
async fn coins_of_a_journaled_operation_are_neither_freed_nor_handed_over() {
    let ((store, row, infos), other) = (holding().await, operation(true));
    is_refused(&store, vec![free(&infos)]).await;
    is_refused(&store, vec![free(&infos[1..])]).await;
    for to in [State::Reserved, State::Pending, State::PendingSpent] {
        is_refused(&store, vec![turn(&infos, to, Some(other.id))]).await;
        is_refused(
            &store,
            vec![Change::Operation(other.clone()), turn(&infos, to, Some(other.id))],
        )
        .await;
    }
    is_refused(&store, vec![free(&infos), take(&infos, other.id)]).await;
    is_refused(
        &store,
        vec![Change::EndOperation(row.id), free(&infos), Change::Operation(row.clone())],
    )
    .await;
    // The end of another operation changes nothing, and a refused commit makes none of its changes.
    is_refused(
        &store,
        vec![Change::Proofs { add: coins(&[8]) }, Change::EndOperation(other.id), free(&infos)],
    )
    .await;
    assert_eq!(store.operations().await.unwrap(), vec![row]);
    assert_eq!(sums(&store).await, (0, 6));
    audit(&store).await;
}

#[tokio::test]
async fn with_the_end_of_their_operation_coins_are_free_or_anothers() {
    let store = store().await;
    for end_first in [true, false] {
        let row = operation(true);
        let infos = held(&store, &row).await;
        let mut changes = vec![Change::EndOperation(row.id), free(&infos)];
        if !end_first {
            changes.reverse();
        }
        store.commit(changes).await.unwrap();
    }
    assert_eq!((sums(&store).await, store.operations().await.unwrap()), ((12, 0), Vec::new()));
    let (row, other) = (operation(true), operation(true));
    let infos = held(&store, &row).await;
    let over = turn(&infos, State::Reserved, Some(other.id));
    store
        .commit(vec![Change::Operation(other.clone()), over, Change::EndOperation(row.id)])
        .await
        .unwrap();
    assert_eq!(store.operations().await.unwrap(), vec![other]);
    is_refused(&store, vec![free(&infos)]).await;
    assert_eq!(sums(&store).await, (12, 6));
    audit(&store).await;
}

#[tokio::test]
async fn a_buried_operation_holds_nothing() {
    let (store, row, infos) = holding().await;
    let buried = OperationRow { holds: false, ..row };
    store.commit(vec![free(&infos[..1]), Change::Operation(buried.clone())]).await.unwrap();
    store.commit(vec![free(&infos[1..])]).await.unwrap();
    assert_eq!(sums(&store).await, (6, 0));
    assert_eq!(store.operation(buried.id).await.unwrap(), Some(buried), "its row stays");
    audit(&store).await;
}

#[tokio::test]
async fn an_operation_that_is_not_in_the_journal_holds_nothing() {
    let store = store().await;
    let (infos, [one, other]) = (coins(&[4, 2]), [(); 2].map(|()| Uuid::new_v4()));
    store.commit(vec![Change::Proofs { add: infos.clone() }, take(&infos, one)]).await.unwrap();
    store.commit(vec![turn(&infos, State::Pending, Some(other))]).await.unwrap();
    store.commit(vec![free(&infos)]).await.unwrap();
    assert_eq!(sums(&store).await, (6, 0));
    audit(&store).await;
}

#[tokio::test]
async fn an_operation_moves_and_spends_its_own_coins_and_spent_they_stay() {
    let (store, row, infos) = holding().await;
    for by in [None, Some(row.id)] {
        store.commit(vec![turn(&infos, State::Pending, by)]).await.unwrap();
        store.commit(vec![turn(&infos, State::Reserved, by)]).await.unwrap();
    }
    assert_eq!(sums(&store).await, (0, 6));
    store.commit(vec![turn(&infos, State::Spent, None)]).await.unwrap();
    store
        .commit(vec![turn(&infos, State::Spent, None), Change::Proofs { add: infos.clone() }])
        .await
        .unwrap();
    for to in [State::Unspent, State::Reserved, State::Pending, State::PendingSpent] {
        for changes in [
            vec![turn(&infos, to, None)],
            vec![Change::EndOperation(row.id), turn(&infos, to, None)],
        ] {
            assert!(matches!(store.commit(changes).await, Err(StoreError::SpentIsFinal)), "{to:?}");
        }
    }
    assert!(matches!(
        store.commit(vec![take(&infos, Uuid::new_v4())]).await,
        Err(StoreError::ProofNotUnspent)
    ));
    assert!(store.proofs(ys(&infos)).await.unwrap().iter().all(|info| info.state == State::Spent));
    assert_eq!((sums(&store).await, store.operation(row.id).await.unwrap()), ((0, 0), Some(row)));
    audit(&store).await;
}

#[tokio::test]
async fn what_is_held_is_held_after_a_restart() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), clock).await.unwrap();
    let row = operation(true);
    let infos = held(&store, &row).await;
    drop(store);
    let store = Store::with_backend(Disk::of(disk.image()), clock).await.unwrap();
    is_refused(&store, vec![free(&infos)]).await;
    store.commit(vec![free(&infos), Change::EndOperation(row.id)]).await.unwrap();
    assert_eq!(sums(&store).await, (6, 0));
}

#[tokio::test]
async fn a_file_that_is_older_than_it_was_holds_what_is_free_and_leaves_the_rest_to_its_operation()
{
    let ((store, _row, infos), unheld) = (holding().await, coins(&[8]));
    store.commit(vec![Change::Proofs { add: unheld.clone() }]).await.unwrap();
    store.mark_stale().await.unwrap();
    let asked = store.stale_proofs(mint().to_string()).await.unwrap();
    assert_eq!((ys(&asked), sums(&store).await), (ys(&unheld), (0, 14)));
    is_refused(&store, vec![free(&infos)]).await;
    store.commit(vec![free(&unheld)]).await.unwrap();
    assert_eq!(sums(&store).await, (8, 6));
    audit(&store).await;
}
