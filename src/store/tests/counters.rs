//! Counters: each device has its own, none goes back, and those given back are reused first.

use std::str::FromStr;

use cdk_common::nuts::{Id, State};

use super::super::{Change, Store, StoreError};
use super::disk::Disk;
use super::samples::{clock, coins, counters, keyset, store, ys};
use crate::ports::Counters;

/// Returns the next `count` counters of the first device. Takes none.
async fn free(store: &Store, count: usize) -> Vec<u32> {
    store.records(0).free_counters(&keyset(), count).await.unwrap()
}

/// Takes the next `count` counters.
async fn take(store: &Store, count: usize) -> Vec<u32> {
    let indices = free(store, count).await;
    store.commit(vec![Change::UseCounters(counters(&indices))]).await.unwrap();
    indices
}

async fn give_back(store: &Store, indices: &[u32]) {
    store.commit(vec![Change::FreeCounters(counters(indices))]).await.unwrap();
}

async fn next(store: &Store) -> u32 {
    store.keyset_counter(0, &keyset()).await.unwrap()
}

#[tokio::test]
async fn asking_takes_none_and_what_is_taken_is_not_offered_again() {
    let store = store().await;
    assert_eq!(
        (free(&store, 3).await, free(&store, 3).await, next(&store).await),
        (vec![0, 1, 2], vec![0, 1, 2], 0)
    );
    assert_eq!(take(&store, 3).await, [0, 1, 2]);
    assert_eq!(
        (free(&store, 2).await, free(&store, 0).await, next(&store).await),
        (vec![3, 4], vec![], 3)
    );
}

#[tokio::test]
async fn counters_that_were_given_back_are_taken_first() {
    let store = store().await;
    take(&store, 6).await;
    give_back(&store, &[4]).await;
    give_back(&store, &[4, 1]).await;
    assert_eq!(free(&store, 4).await, [1, 4, 6, 7]);
    assert_eq!(take(&store, 3).await, [1, 4, 6]);
    assert_eq!(
        (free(&store, 2).await, next(&store).await),
        (vec![7, 8], 7),
        "they are given away once"
    );
}

#[tokio::test]
async fn the_next_counter_is_never_lowered() {
    let store = store().await;
    take(&store, 5).await;
    for indices in [&[2][..], &[]] {
        store.commit(vec![Change::UseCounters(counters(indices))]).await.unwrap();
        give_back(&store, &[0, 4]).await;
        assert_eq!(next(&store).await, 5);
    }
    assert_eq!(store.raise_keyset_counter(0, &keyset(), 3).await.unwrap(), 5);
    assert_eq!(store.raise_keyset_counter(0, &keyset(), 9).await.unwrap(), 9);
    assert_eq!(
        (store.raise_keyset_counter(0, &keyset(), 0).await.unwrap(), next(&store).await),
        (9, 9)
    );
}

#[tokio::test]
async fn a_raised_counter_forgets_what_was_given_back_below_it() {
    let store = store().await;
    take(&store, 8).await;
    give_back(&store, &[1, 3, 4, 6]).await;
    assert_eq!(
        store.raise_keyset_counter(0, &keyset(), 4).await.unwrap(),
        8,
        "it is beyond already"
    );
    assert_eq!(free(&store, 4).await, [4, 6, 8, 9]);
    assert_eq!(store.raise_keyset_counter(0, &keyset(), 20).await.unwrap(), 20);
    assert_eq!(free(&store, 2).await, [20, 21]);
}

#[tokio::test]
async fn each_device_and_each_keyset_counts_for_itself() {
    let store = store().await;
    let of_one = |indices: &[u32]| Counters { device: 1, ..counters(indices) };
    take(&store, 10).await;
    store.commit(vec![Change::UseCounters(of_one(&[0, 1, 2]))]).await.unwrap();
    store.commit(vec![Change::FreeCounters(of_one(&[1]))]).await.unwrap();
    assert_eq!(free(&store, 1).await, [10]);
    assert_eq!(store.records(1).free_counters(&keyset(), 2).await.unwrap(), [1, 3]);
    assert_eq!(store.raise_keyset_counter(0, &keyset(), 7).await.unwrap(), 10);
    assert_eq!(store.raise_keyset_counter(1, &keyset(), 7).await.unwrap(), 7);
    let other = Id::from_str("009a1f293253e41e").unwrap();
    assert_eq!(store.keyset_counter(0, &other).await.unwrap(), 0);
    assert_eq!(store.records(0).free_counters(&other, 1).await.unwrap(), [0]);
    for (device, keys) in [(0, [0, 1]), (1, [0, 1])] {
        let records = store.records(device);
        assert_eq!(
            (
                records.device(),
                [records.next_quote_key().await.unwrap(), records.next_quote_key().await.unwrap()]
            ),
            (device, keys)
        );
    }
}

#[tokio::test]
async fn a_refused_commit_takes_no_counter_and_gives_none_back() {
    let store = store().await;
    take(&store, 4).await;
    give_back(&store, &[2]).await;
    let unknown = Change::ProofState {
        ys: ys(&coins(&[1])),
        expect: None,
        to: State::Spent,
        operation: None,
    };
    let changes =
        vec![Change::UseCounters(counters(&[2, 4])), Change::FreeCounters(counters(&[0])), unknown];
    assert!(matches!(store.commit(changes).await, Err(StoreError::ProofNotFound)));
    assert_eq!((free(&store, 2).await, next(&store).await), (vec![2, 4], 4));
}

#[tokio::test]
async fn what_was_taken_and_given_back_is_so_after_a_restart() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), clock).await.unwrap();
    take(&store, 4).await;
    give_back(&store, &[3, 0]).await;
    drop(store);
    let store = Store::with_backend(Disk::of(disk.image()), clock).await.unwrap();
    assert_eq!((free(&store, 3).await, next(&store).await), (vec![0, 3, 4], 4));
}

#[tokio::test]
async fn past_the_last_counter_there_is_an_error() {
    let store = store().await;
    assert!(matches!(
        store.commit(vec![Change::UseCounters(counters(&[u32::MAX]))]).await,
        Err(StoreError::Range)
    ));
    assert_eq!(next(&store).await, 0);
    assert_eq!(store.raise_keyset_counter(0, &keyset(), u32::MAX).await.unwrap(), u32::MAX);
    assert!(store.records(0).free_counters(&keyset(), 1).await.is_err());
}
