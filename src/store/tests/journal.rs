//! The rest of the journal: commits are whole, operations and tokens are removed, history is paged,
//! and `real` never goes back.

use std::collections::HashMap;

use cdk_common::nuts::State;
use cdk_common::wallet::ProofInfo;
use uuid::Uuid;

use super::super::{Change, HistoryFilter, Need, OperationRow, PolicyChange, StoreError, TokenRow};
use super::samples::{
    NOW, audit, coins, deposit, keyset, operation, payment, receive, store, take, ys,
};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::id::{PaymentId, ReceiveId};
use crate::model::money::Unit;
use crate::model::payment::Payment;
use crate::model::receive::{Receive, ReceiveState};
use crate::model::secret::Secret;
use crate::model::subject::Subject;

#[tokio::test]
async fn one_refused_change_refuses_the_whole_commit() {
    let store = store().await;
    let infos = coins(&[8, 4]);
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    let (row, other) = (operation(true), operation(true));
    store.commit(vec![Change::Operation(row.clone()), take(&infos[..1], row.id)]).await.unwrap();
    assert_eq!(store.operations().await.unwrap(), vec![row.clone()]);

    let refused =
        store.commit(vec![Change::Operation(other.clone()), take(&infos, other.id)]).await;
    assert!(matches!(refused, Err(StoreError::ProofNotUnspent)));
    assert_eq!(store.operations().await.unwrap(), vec![row.clone()]);
    assert_eq!(store.balances().await.unwrap()[0].unspent, 4);

    // Adding stored proofs again, spent or not, changes nothing.
    let spend =
        Change::ProofState { ys: ys(&infos), expect: None, to: State::Spent, operation: None };
    store.commit(vec![spend, Change::EndOperation(row.id)]).await.unwrap();
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    assert!(store.balances().await.unwrap().is_empty());
    assert_eq!(store.revive(infos[..1].to_vec()).await.unwrap(), 1);
    assert_eq!(store.balances().await.unwrap()[0].unspent, 8);
    audit(&store).await;
}

#[tokio::test]
async fn coins_that_are_revived_come_back_in_the_state_asked_for_and_others_stay_as_they_are() {
    let store = store().await;
    let infos = coins(&[8, 4, 2]);
    let spend = Change::ProofState {
        ys: ys(&infos[..2]),
        expect: None,
        to: State::Spent,
        operation: Some(Uuid::new_v4()),
    };
    store.commit(vec![Change::Proofs { add: infos.clone() }, spend]).await.unwrap();
    let revive = |infos: &[ProofInfo], to| Change::Revive { ys: ys(infos), to };
    store
        .commit(vec![revive(&infos[..1], State::PendingSpent), revive(&infos[1..], State::Unspent)])
        .await
        .unwrap();
    let balance = store.balances().await.unwrap().remove(0);
    assert_eq!((balance.unspent, balance.pending, balance.pending_spent), (6, 0, 8));
    assert!(
        store.proofs(ys(&infos)).await.unwrap().iter().all(|info| info.used_by_operation.is_none())
    );
    let refused = store
        .commit(vec![revive(&infos, State::Unspent), revive(&coins(&[1]), State::Unspent)])
        .await;
    assert!(matches!(refused, Err(StoreError::ProofNotFound)));
    audit(&store).await;
}

#[tokio::test]
async fn an_operation_is_in_the_journal_until_it_is_decided() {
    let store = store().await;
    let (one, other) = (operation(true), operation(false));
    assert!(!store.has_unfinished().await.unwrap());
    store
        .commit(vec![Change::Operation(one.clone()), Change::Operation(other.clone())])
        .await
        .unwrap();
    let mut rows = store.operations().await.unwrap();
    rows.sort_by_key(|row| row.id != one.id);
    assert_eq!(rows, vec![one.clone(), other.clone()]);
    let again = OperationRow { holds: false, body: b"other secrets".to_vec(), ..one };
    store
        .commit(vec![Change::Operation(again.clone()), Change::EndOperation(other.id)])
        .await
        .unwrap();
    assert_eq!(
        store.operation(again.id).await.unwrap(),
        Some(again.clone()),
        "a row takes the place of its earlier self"
    );
    assert_eq!(
        (store.operation(other.id).await.unwrap(), store.has_unfinished().await.unwrap()),
        (None, true)
    );
    store
        .commit(vec![Change::EndOperation(again.id), Change::EndOperation(other.id)])
        .await
        .unwrap();
    assert!(store.operations().await.unwrap().is_empty() && !store.has_unfinished().await.unwrap());
    assert!(!format!("{again:?}").contains("secrets"));
}

#[tokio::test]
async fn operations_are_found_by_the_record_that_they_are_for() {
    let store = store().await;
    let subject = Subject::Payment(PaymentId::random());
    let other = Subject::Receive(ReceiveId::random());
    let one = OperationRow { subject: Some(subject.clone()), ..operation(true) };
    let two = OperationRow { subject: Some(subject.clone()), ..operation(false) };
    let of_none = operation(true);
    let rows = [&one, &two, &of_none].map(|row| Change::Operation(row.clone()));
    store.commit(rows.into()).await.unwrap();
    let mut found = store.operations_of(&subject).await.unwrap();
    found.sort_by_key(|row| row.id != one.id);
    assert_eq!(found, vec![one.clone(), two.clone()]);
    assert!(store.operations_of(&other).await.unwrap().is_empty());
    assert_eq!(store.operations().await.unwrap().len(), 3);
    store.commit(vec![Change::EndOperation(one.id)]).await.unwrap();
    assert_eq!(store.operations_of(&subject).await.unwrap(), vec![two.clone()]);
    assert!(store.given_up_of(&subject).await.unwrap().is_empty());
    store.commit(vec![Change::EndOperation(two.id)]).await.unwrap();
    assert!(store.operations_of(&subject).await.unwrap().is_empty());
}

#[tokio::test]
async fn inputs_come_from_the_shelf_without_locked_or_unpriced_ones() {
    let store = store().await;
    let mut infos = coins(&[64, 16, 8, 4, 2, 1, 1]);
    infos[1].spending_condition = Some(cdk_common::nuts::SpendingConditions::new_p2pk(
        cdk_common::nuts::SecretKey::generate().public_key(),
        None,
    ));
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    let fees = HashMap::from([(keyset(), 100)]);
    let (mint, unit) = ("https://mint.example".parse().unwrap(), Unit::sat());
    let chosen = store
        .select_inputs(
            &mint,
            &unit,
            Need::Spend { amount: 11, fee_at_most: u64::MAX },
            fees.clone(),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (chosen.fee, chosen.proofs.iter().map(|one| one.proof.amount.to_u64()).sum::<u64>()),
        (1, 12)
    );
    let chosen = store
        .select_inputs(&mint, &unit, Need::Exact { amount: 7 }, fees.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chosen.proofs.len(), 3);
    assert!(
        store
            .select_inputs(&mint, &unit, Need::Exact { amount: 24 }, fees.clone())
            .await
            .unwrap()
            .is_none()
    );
    let chosen = store
        .select_inputs(
            &mint,
            &unit,
            Need::Spend { amount: 24, fee_at_most: u64::MAX },
            fees.clone(),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ys(&chosen.proofs), vec![infos[0].y]);
    assert!(
        store
            .select_inputs(&mint, &unit, Need::Spend { amount: 80, fee_at_most: u64::MAX }, fees)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .select_inputs(
                &mint,
                &unit,
                Need::Spend { amount: 1, fee_at_most: u64::MAX },
                HashMap::new()
            )
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_tokens_text_is_gone_once_it_is_claimed() {
    let store = store().await;
    let one = payment(5, None, None, None);
    store.admit::<()>(one.clone(), NOW, Vec::new(), |_| Ok(())).await.unwrap();
    let row = TokenRow {
        token: Secret::new("cashuB"),
        ys: ys(&coins(&[1])),
        locked: false,
        claimed_at: None,
    };
    store.commit(vec![Change::Token { payment: one.id.clone(), row: row.clone() }]).await.unwrap();
    assert_eq!(store.token(&one.id).await.unwrap(), Some(row.clone()));
    assert_eq!(
        store.tokens(vec![one.id.clone(), PaymentId::random()]).await.unwrap(),
        vec![(one.clone(), row)]
    );
    assert_eq!(store.payment_of_token("cashuB").await.unwrap(), Some(one.id.clone()));
    assert_eq!(store.payment_of_token("cashuA").await.unwrap(), None);
    store.commit(vec![Change::ForgetToken(one.id.clone())]).await.unwrap();
    assert_eq!(store.token(&one.id).await.unwrap(), None);
}

#[tokio::test]
async fn deposits_and_receives_are_found_by_their_indexes() {
    let store = store().await;
    let (first, second) = (deposit(10, DepositState::Unpaid), deposit(20, DepositState::Unpaid));
    let token = receive(15);
    let changes = vec![
        Change::Deposit(first.clone()),
        Change::Deposit(second.clone()),
        Change::Receive(token.clone()),
    ];
    store.commit(changes).await.unwrap();
    assert_eq!(store.deposit(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.newest_deposit("tester").await.unwrap(), Some(second.clone()));
    assert_eq!(store.newest_deposit("test").await.unwrap(), None);
    assert_eq!(store.deposit_by_key("tester", "key 10").await.unwrap(), Some(first.clone()));
    assert_eq!(store.receive_by_digest("digest 15").await.unwrap(), Some(token.clone()));
    assert_eq!(store.open_receives().await.unwrap(), vec![token.clone()]);
    let paid = Deposit { state: DepositState::Received { at: 30, received_sats: 21 }, ..first };
    let done = Receive {
        state: ReceiveState::Received { at: 30, received_sats: 3, fee_sats: 0 },
        ..token
    };
    store.commit(vec![Change::Deposit(paid), Change::Receive(done.clone())]).await.unwrap();
    assert_eq!(store.open_deposits().await.unwrap(), vec![second]);
    assert!(store.open_receives().await.unwrap().is_empty());
    assert_eq!(store.receive(&done.id).await.unwrap(), Some(done));
}

#[tokio::test]
async fn history_is_newest_first_in_pages() {
    let store = store().await;
    let change =
        PolicyChange { at: 25, text: "the daily limit was raised".to_owned(), loosened: true };
    let changes = vec![
        Change::Deposit(deposit(10, DepositState::Unpaid)),
        Change::Receive(receive(20)),
        Change::Policy(change),
    ];
    store.commit(changes).await.unwrap();
    let paid = Payment { created_at: 30, ..payment(5, None, None, None) };
    store.admit::<()>(paid, 30, Vec::new(), |_| Ok(())).await.unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store
            .history(HistoryFilter { limit: 3, before, ..HistoryFilter::default() })
            .await
            .unwrap();
        let Some((last, _)) = page.last() else { break };
        before = Some(last.clone());
        seen.extend(page.iter().map(|(place, _)| place.at));
    }
    assert_eq!(seen, vec![30, 25, 20, 10]);
    let middle =
        HistoryFilter { limit: 9, since: Some(20), until: Some(30), ..HistoryFilter::default() };
    assert_eq!(store.history(middle).await.unwrap().len(), 2);
}

#[tokio::test]
async fn real_money_is_for_ever_and_the_wallets_id_stays() {
    let store = store().await;
    let born = store.meta().await.unwrap();
    assert_eq!((born.wallet_id.len(), born.real, born.device), (32, false, 0));
    store.set_meta(|meta| meta.real = true).await.unwrap();
    let meta = store.set_meta(|meta| {
        meta.real = false;
        meta.wallet_id.clear();
        meta.device = 3;
    });
    let meta = meta.await.unwrap();
    assert_eq!((meta.real, meta.device, meta.wallet_id), (true, 3, born.wallet_id));
}
