//! The second line: no call frees or takes the proofs of a melt whose outcome is not known.

use cdk_common::Amount;
use cdk_common::database::WalletDatabase as _;
use cdk_common::nuts::{CurrencyUnit, State};
use cdk_common::wallet::{MeltOperationData, MeltSagaState, OperationData, ProofInfo, WalletSaga, WalletSagaState};
use uuid::Uuid;

use super::super::view::View;
use super::super::{Admission, Change, Store, StoreError};
use super::disk::Disk;
use super::samples::{NOW, audit, clock, coins, mint, payment, store, ys};
use crate::model::payment::{Payment, PaymentState};
use crate::ports::Doubt as _;

fn melt(operation: Uuid, quote: &str) -> WalletSaga {
    let data = MeltOperationData {
        quote_id: quote.to_owned(),
        amount: Amount::from(5),
        fee_reserve: Amount::from(1),
        counter_start: None,
        counter_end: None,
        change_amount: None,
        metadata: std::collections::HashMap::new(),
        final_proof_ys: None,
        change_blinded_messages: None,
    };
    let state = WalletSagaState::Melt(MeltSagaState::MeltRequested);
    WalletSaga::new(operation, state, Amount::from(5), mint(), CurrencyUnit::Sat, OperationData::Melt(data))
}

/// A melt that was sent: payment, saga and two pending proofs.
async fn sent(store: &Store) -> (View, Payment, Vec<ProofInfo>, Uuid) {
    let view = View { store: store.clone(), device: 0 };
    let (infos, operation) = (coins(&[4, 2]), Uuid::new_v4());
    let one = payment(5, Some("aa"), None, Some("q1"));
    view.update_proofs(infos.clone(), vec![]).await.unwrap();
    assert!(matches!(store.admit::<()>(one.clone(), NOW, |_| Ok(())).await.unwrap(), Admission::Admitted(_)));
    view.reserve_proofs(ys(&infos), &operation).await.unwrap();
    view.add_saga(melt(operation, "q1")).await.unwrap();
    view.update_proofs_state(ys(&infos), State::Pending).await.unwrap();
    store.sent("q1").await.unwrap();
    (view, one, infos, operation)
}

#[tokio::test]
async fn an_undecided_melt_keeps_its_proofs_from_every_call() {
    let store = store().await;
    let (view, one, infos, operation) = sent(&store).await;
    assert!(store.is_undecided("q1").await.unwrap());
    let row = store.payment(&one.id).await.unwrap().unwrap();
    assert_eq!(row.state, PaymentState::Sent { since: NOW, acknowledged: false });

    assert!(view.release_proofs(&operation).await.is_err());
    assert!(view.update_proofs_state(ys(&infos), State::Unspent).await.is_err());
    let free = |info: &ProofInfo| ProofInfo { state: State::Unspent, used_by_operation: None, ..info.clone() };
    assert!(view.update_proofs(infos.iter().map(free).collect(), vec![]).await.is_err());
    let taken = |info: &ProofInfo| ProofInfo { state: State::Reserved, used_by_operation: Some(Uuid::new_v4()), ..info.clone() };
    assert!(view.update_proofs(infos.iter().map(taken).collect(), vec![]).await.is_err());
    let change = Change::ProofState { ys: ys(&infos), expect: None, to: State::Unspent, operation: None };
    assert!(matches!(store.commit(vec![change]).await, Err(StoreError::Undecided)));
    assert_eq!(view.get_balance(None, None, Some(vec![State::Pending])).await.unwrap(), 6);

    store.lift_doubt("q1");
    assert!(!store.is_undecided("q1").await.unwrap());
    view.release_proofs(&operation).await.unwrap();
    assert_eq!(view.get_balance(None, None, Some(vec![State::Unspent])).await.unwrap(), 6);
    audit(&store).await;
}

#[tokio::test]
async fn the_saga_may_be_gone_when_the_quote_still_names_its_operation() {
    let store = store().await;
    let view = View { store: store.clone(), device: 0 };
    let (infos, operation) = (coins(&[4]), Uuid::new_v4());
    let quote = serde_json::json!({
        "id": "q1", "mint_url": mint(), "unit": "sat", "amount": 3, "request": "lnbc", "fee_reserve": 1, "state": "UNPAID",
        "expiry": 0, "payment_proof": null, "payment_method": "bolt11",
    });
    view.add_melt_quote(serde_json::from_value(quote).unwrap()).await.unwrap();
    view.update_proofs(infos.clone(), vec![]).await.unwrap();
    view.reserve_proofs(ys(&infos), &operation).await.unwrap();
    view.reserve_melt_quote("q1", &operation).await.unwrap();
    store.admit::<()>(payment(3, Some("aa"), None, Some("q1")), NOW, |_| Ok(())).await.unwrap();
    store.sent("q1").await.unwrap();
    assert!(view.release_proofs(&operation).await.is_err());
    assert!(view.reserve_melt_quote("q1", &Uuid::new_v4()).await.is_err());
}

#[tokio::test]
async fn doubt_outlives_a_restart_even_where_it_was_lifted() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), clock).await.unwrap();
    let (view, _, _, operation) = sent(&store).await;
    store.lift_doubt("q1");
    drop((view, store));
    let store = Store::with_backend(Disk::of(disk.image()), clock).await.unwrap();
    assert!(store.is_undecided("q1").await.unwrap());
    assert!(View { store, device: 0 }.release_proofs(&operation).await.is_err());
}

#[tokio::test]
async fn sent_needs_an_admitted_payment_and_a_decided_one_is_not_sent_again() {
    let store = store().await;
    assert!(store.sent("q9").await.is_err());
    let one = payment(5, Some("aa"), None, Some("q1"));
    store.admit::<()>(one.clone(), NOW, |_| Ok(())).await.unwrap();
    store.sent("q1").await.unwrap();
    let state = PaymentState::Settled { at: NOW, fee_sats: 0, preimage: None, claimed: false };
    store.commit(vec![Change::Payment(Payment { state, ..one })]).await.unwrap();
    assert!(!store.is_undecided("q1").await.unwrap());
    assert!(store.sent("q1").await.is_err());
}
