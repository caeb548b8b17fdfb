//! Records that were given up: they leave the journal, the limits and the balance, stay whole in
//! the file, and come back unchanged.

use cdk_common::nuts::State;

use super::super::{Change, OpenRecord, StoreError};
use super::samples::{NOW, audit, coins, operation, payment, store, take, ys};
use crate::model::ledger::DAY_SECONDS;
use crate::model::payment::{Payment, PaymentState};

#[tokio::test]
async fn what_is_given_up_leaves_journal_limits_and_balance_and_comes_back_as_it_was() {
    let store = store().await;
    let (infos, row) = (coins(&[8, 4]), operation(true));
    let sent = Payment {
        state: PaymentState::Sent { since: NOW, acknowledged: false },
        ..payment(10, Some("aa"), None, None)
    };
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    let beside = vec![take(&infos[..1], row.id), Change::Operation(row.clone())];
    store.admit::<()>(sent.clone(), NOW, beside, |_| Ok(())).await.unwrap();

    let given =
        Payment { state: PaymentState::GivenUp { at: NOW + 5, since: NOW }, ..sent.clone() };
    let give_up =
        || store.give_up(OpenRecord::Payment(given.clone()), vec![row.id], ys(&infos[..1]));
    give_up().await.unwrap();
    assert!(
        store.operations().await.unwrap().is_empty()
            && store.open_payments().await.unwrap().is_empty()
    );
    assert_eq!(store.operations_given_up().await.unwrap(), vec![row.clone()]);
    assert!(store.has_unfinished().await.unwrap(), "it may still bring coins in");
    let (balance, ledger) = (
        store.balances().await.unwrap().remove(0),
        store.ledger("tester", None, NOW + 6).await.unwrap(),
    );
    assert_eq!(
        (balance.unspent, balance.pending, ledger.all.reserved_sats, ledger.all.spent_sats),
        (4, 0, 0, 12)
    );
    assert_eq!(
        store.ledger("tester", None, NOW + DAY_SECONDS).await.unwrap().all.used_sats(),
        0,
        "it left with its day"
    );
    audit(&store).await;

    // Only taking it up opens it again.
    let opened = store.commit(vec![Change::Payment(sent.clone())]).await;
    assert!(matches!(opened, Err(StoreError::Transition { .. })), "{opened:?}");
    store
        .take_up(OpenRecord::Payment(sent.clone()), vec![(row.id, ys(&infos[..1]))])
        .await
        .unwrap();
    assert_eq!(
        (store.operations().await.unwrap(), store.open_payments().await.unwrap()),
        (vec![row.clone()], vec![sent.clone()])
    );
    assert!(store.operations_given_up().await.unwrap().is_empty());
    let held = store.proofs(ys(&infos[..1])).await.unwrap().remove(0);
    assert_eq!((held.state, held.used_by_operation), (State::Reserved, Some(row.id)));
    assert_eq!(
        store.ledger("tester", None, NOW + DAY_SECONDS).await.unwrap().all.reserved_sats,
        12
    );
    audit(&store).await;

    // A decided record is neither given up nor taken up.
    let settled =
        PaymentState::Settled { at: NOW + 9, fee_sats: 1, preimage: None, claimed: false };
    store
        .commit(vec![
            Change::Payment(Payment { state: settled, ..sent.clone() }),
            Change::EndOperation(row.id),
        ])
        .await
        .unwrap();
    assert!(matches!(give_up().await, Err(StoreError::Transition { .. })));
    let again = store.take_up(OpenRecord::Payment(sent), vec![(row.id, ys(&infos[..1]))]).await;
    assert!(matches!(again, Err(StoreError::Transition { .. })));
    audit(&store).await;
}

#[tokio::test]
async fn a_word_of_its_mint_that_comes_late_ends_what_was_given_up() {
    let store = store().await;
    let (infos, row) = (coins(&[8]), operation(true));
    let sent = Payment {
        state: PaymentState::Sent { since: NOW, acknowledged: false },
        ..payment(6, Some("aa"), None, None)
    };
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    store
        .admit::<()>(
            sent.clone(),
            NOW,
            vec![take(&infos, row.id), Change::Operation(row.clone())],
            |_| Ok(()),
        )
        .await
        .unwrap();
    let given =
        Payment { state: PaymentState::GivenUp { at: NOW + 5, since: NOW }, ..sent.clone() };
    store.give_up(OpenRecord::Payment(given), vec![row.id], ys(&infos)).await.unwrap();
    let state = PaymentState::Settled { at: NOW + 9, fee_sats: 1, preimage: None, claimed: false };
    let spent =
        Change::ProofState { ys: ys(&infos), expect: None, to: State::Spent, operation: None };
    store
        .commit(vec![
            spent,
            Change::EndOperation(row.id),
            Change::Payment(Payment { state, ..sent }),
        ])
        .await
        .unwrap();
    assert!(
        store.operations_given_up().await.unwrap().is_empty()
            && !store.has_unfinished().await.unwrap()
    );
    assert_eq!(store.ledger("tester", None, NOW + 10).await.unwrap().all.used_sats(), 7);
    audit(&store).await;
}
