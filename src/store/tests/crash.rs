//! Power loss: what was acknowledged as durable is there, and nothing is there in part.

use cdk_common::database::WalletDatabase as _;
use cdk_common::nuts::State;
use uuid::Uuid;

use super::super::view::View;
use super::super::{Change, Store, StoreError};
use super::disk::Disk;
use super::samples::{NOW, audit, clock, coin, coins, payment, ys};
use crate::model::payment::{Payment, PaymentState};
use crate::ports::Doubt as _;

type Failed = Box<dyn std::error::Error>;

/// A warm payment as the door makes it, with cdk's writes between. Counts the durable steps that were acknowledged.
async fn pay(store: &Store, done: &mut usize) -> Result<(), Failed> {
    let view = View { store: store.clone(), device: 0 };
    let (inputs, operation) = (coins(&[64, 32, 4]), Uuid::new_v4());
    view.update_proofs(inputs.clone(), vec![]).await?;
    view.increment_keyset_counter(&super::samples::keyset(), 3).await?;
    store.barrier().await?;
    *done += 1;
    let one = payment(90, Some("aa"), None, Some("q1"));
    store.admit::<()>(one.clone(), NOW, |_| Ok(())).await?;
    *done += 1;
    view.reserve_proofs(ys(&inputs), &operation).await?;
    view.kv_write("a", "b", "c", b"value").await?;
    view.update_proofs_state(ys(&inputs), State::Pending).await?;
    view.increment_keyset_counter(&super::samples::keyset(), 7).await?;
    store.sent("q1").await?;
    *done += 1;
    let state = PaymentState::Settled { at: NOW, fee_sats: 2, preimage: None, claimed: false };
    store
        .commit(vec![
            Change::ProofState { ys: ys(&inputs), expect: Some(vec![State::Pending]), to: State::Spent, operation: None },
            Change::Proofs { add: vec![coin(8)] },
            Change::Payment(Payment { state, ..one }),
        ])
        .await?;
    *done += 1;
    Ok(())
}

/// How far the payment of [`pay`] has come, judged from what is there.
async fn progress(store: &Store) -> Result<usize, StoreError> {
    audit(store).await;
    let balances = store.balances().await?;
    let (unspent, pending) = balances.first().map_or((0, 0), |one| (one.unspent, one.pending));
    let state = store.payment_by_hash("aa").await?.map(|one| one.state);
    Ok(match (unspent, pending, state) {
        (0, 0, None) => 0,
        (100, 0, None) => 1,
        (100, 0, Some(PaymentState::Reserved)) => 2,
        (0, 100, Some(PaymentState::Sent { .. })) => 3,
        (8, 0, Some(PaymentState::Settled { .. })) => 4,
        other => panic!("a state between: {other:?}"),
    })
}

#[tokio::test]
async fn a_payment_costs_four_durable_commits_of_two_syncs() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), clock).await.unwrap();
    let (syncs, mut done) = (disk.syncs(), 0);
    pay(&store, &mut done).await.unwrap();
    assert_eq!((store.durable_commits(), disk.syncs() - syncs), (4, 8));
    store.barrier().await.unwrap();
    assert_eq!((store.durable_commits(), disk.syncs() - syncs), (4, 8), "a barrier with nothing before it costs nothing");
}

#[tokio::test]
async fn power_lost_at_any_sync_leaves_a_whole_state() {
    let begun = Disk::default();
    drop(Store::with_backend(begun.clone(), clock).await.unwrap());
    let image = begun.image();
    let mut cut = 0;
    loop {
        cut += 1;
        let disk = Disk::of(image.clone());
        let store = Store::with_backend(disk.clone(), clock).await.unwrap();
        disk.cut_in(cut);
        let mut done = 0;
        let ended = pay(&store, &mut done).await;
        drop(store);
        if ended.is_ok() {
            break;
        }
        for (number, end) in disk.images(cut).into_iter().enumerate() {
            let store = Store::with_backend(Disk::of(end), clock).await;
            let store = store.unwrap_or_else(|error| panic!("cut {cut}, image {number}: {error}"));
            let there = progress(&store).await.unwrap();
            assert!(there == done || there == done + 1, "cut {cut}, image {number}: {done} acknowledged, {there} there");
        }
    }
    assert!(cut > 8, "every sync was a cut: {cut}");
}
