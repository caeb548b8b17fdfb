//! Power loss: everything acknowledged as durable survives, and nothing survives in part.

use cdk_common::nuts::{CurrencyUnit, KeySetInfo, State};

use super::super::{Change, Store, StoreError};
use super::disk::Disk;
use super::samples::{
    NOW, audit, clock, coin, coins, counters, keyset, operation, payment, take, ys,
};
use crate::model::payment::{Payment, PaymentState};

type Failed = Box<dyn std::error::Error>;

/// Makes a payment as the wallet does, with mint records written in between. Counts the durable
/// steps that were acknowledged.
async fn pay(store: &Store, done: &mut usize) -> Result<(), Failed> {
    let (inputs, melt, records) = (coins(&[64, 32, 4]), operation(true), store.records(0));
    let listed = KeySetInfo {
        id: keyset(),
        unit: CurrencyUnit::Sat,
        active: true,
        input_fee_ppk: 0,
        final_expiry: None,
    };
    records.next_quote_key().await?;
    store.commit(vec![Change::Proofs { add: inputs.clone() }]).await?;
    *done += 1;
    records.put_keysets("https://mint.example", vec![listed]).await?;
    records.next_quote_key().await?;
    let blank = records.free_counters(&keyset(), 3).await?;
    let state = PaymentState::Sent { since: NOW, acknowledged: false };
    let one = Payment { state, ..payment(90, Some("aa"), None, Some("q1")) };
    let beside = vec![
        take(&inputs, melt.id),
        Change::UseCounters(counters(&blank)),
        Change::Operation(melt.clone()),
    ];
    store.admit::<()>(one.clone(), NOW, beside, |_| Ok(())).await?;
    *done += 1;
    records.next_quote_key().await?;
    let state = PaymentState::Settled { at: NOW, fee_sats: 2, preimage: None, claimed: false };
    store
        .commit(vec![
            Change::ProofState {
                ys: ys(&inputs),
                expect: Some(vec![State::Reserved]),
                to: State::Spent,
                operation: None,
            },
            Change::Proofs { add: vec![coin(8)] },
            Change::EndOperation(melt.id),
            Change::FreeCounters(counters(&blank[1..])),
            Change::Payment(Payment { state, ..one }),
        ])
        .await?;
    *done += 1;
    Ok(())
}

/// Returns how many steps of [`pay`] are done, judged from the file.
async fn progress(store: &Store) -> Result<usize, StoreError> {
    audit(store).await;
    let balances = store.balances().await?;
    let (unspent, pending) = balances.first().map_or((0, 0), |one| (one.unspent, one.pending));
    let state = store.payment_by_hash("aa").await?.map(|one| one.state);
    let (operations, free) = (
        store.operations().await?.len(),
        store.records(0).free_counters(&keyset(), 1).await.unwrap(),
    );
    Ok(match (unspent, pending, state, operations, free[0]) {
        (0, 0, None, 0, 0) => 0,
        (100, 0, None, 0, 0) => 1,
        (0, 100, Some(PaymentState::Sent { .. }), 1, 3) => 2,
        (8, 0, Some(PaymentState::Settled { .. }), 0, 1) => 3,
        other => panic!("a state between: {other:?}"),
    })
}

#[tokio::test]
async fn a_payment_costs_two_durable_commits_of_two_syncs() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), clock).await.unwrap();
    let (syncs, mut done) = (disk.syncs(), 0);
    pay(&store, &mut done).await.unwrap();
    assert_eq!(
        (store.durable_commits(), disk.syncs() - syncs),
        (3, 6),
        "one for its coins, two for the payment"
    );
    store.barrier().await.unwrap();
    assert_eq!(
        (store.durable_commits(), disk.syncs() - syncs),
        (3, 6),
        "a barrier with nothing before it costs nothing"
    );
    store.records(0).next_quote_key().await.unwrap();
    assert_eq!(
        (store.durable_commits(), disk.syncs() - syncs),
        (3, 6),
        "nor does a write that need not be durable"
    );
    store.barrier().await.unwrap();
    assert_eq!((store.durable_commits(), disk.syncs() - syncs), (4, 8));
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
            assert!(
                there == done || there == done + 1,
                "cut {cut}, image {number}: {done} acknowledged, {there} there"
            );
        }
    }
    assert!(cut > 6, "every sync was a cut: {cut}");
}
