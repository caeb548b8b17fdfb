//! Open invoices: which ones are indexed, and until when.

use super::super::Change;
use super::samples::{self, NOW, store};
use crate::model::deposit::{Deposit, DepositState, Dispute};

const DAY: u64 = 86_400;

/// Creates an invoice that expires in an hour.
fn deposit() -> Deposit {
    Deposit { expires_at: NOW + 3_600, ..samples::deposit(NOW, DepositState::Unpaid) }
}

#[tokio::test]
async fn an_invoice_is_at_hand_until_a_week_after_it_ran_out_and_its_row_stays() {
    let store = store().await;
    let one = deposit();
    store.commit(vec![Change::Deposit(one.clone())]).await.unwrap();
    for (at, open) in [(NOW, 1), (NOW + 3_600 + 7 * DAY, 1), (NOW + 3_600 + 7 * DAY + 1, 0)] {
        store.retire_deposits(at).await.unwrap();
        assert_eq!(
            (store.open_deposits().await.unwrap().len(), one.is_asked(at)),
            (open, open == 1),
            "{at}"
        );
    }
    assert_eq!(store.deposit(&one.id).await.unwrap(), Some(one));
}

#[tokio::test]
async fn one_that_is_paid_is_at_hand_until_it_is_here() {
    let store = store().await;
    let one = deposit();
    store.commit(vec![Change::Deposit(one.clone())]).await.unwrap();
    store.retire_deposits(NOW + 30 * DAY).await.unwrap();
    let paid = Deposit { state: DepositState::Paid, ..one };
    store.commit(vec![Change::Deposit(paid.clone())]).await.unwrap();
    store.retire_deposits(NOW + 60 * DAY).await.unwrap();
    assert_eq!(store.incoming().await.unwrap(), vec![(paid.mint.to_string(), paid.amount_sats)]);
    assert_eq!(store.unfinished(|_| true).await.unwrap().new_deposits, vec![paid.clone()]);
    store
        .commit(vec![Change::Deposit(Deposit {
            state: DepositState::Received { at: NOW, received_sats: 1 },
            ..paid
        })])
        .await
        .unwrap();
    assert!(
        store.incoming().await.unwrap().is_empty()
            && store.unfinished(|_| true).await.unwrap().deposits.is_empty()
    );
}

#[tokio::test]
async fn one_that_is_disputed_promises_nothing_and_stays_at_hand() {
    let store = store().await;
    let disputed = Deposit { dispute: Some(Dispute { since: NOW, asked: NOW }), ..deposit() };
    for state in [DepositState::Unpaid, DepositState::Paid] {
        let one = Deposit { state, ..disputed.clone() };
        store.commit(vec![Change::Deposit(one.clone())]).await.unwrap();
        store.retire_deposits(NOW + 60 * DAY).await.unwrap();
        assert_eq!(store.open_deposits().await.unwrap(), vec![one.clone()]);
        assert_eq!(store.incoming().await.unwrap(), vec![(one.mint.to_string(), 0)]);
        assert!(one.is_asked(NOW + 60 * DAY) && one.rests(NOW + DAY - 1) && !one.rests(NOW + DAY));
    }
    let received =
        Deposit { state: DepositState::Received { at: NOW, received_sats: 21 }, ..disputed };
    store.commit(vec![Change::Deposit(received.clone())]).await.unwrap();
    assert!(store.open_deposits().await.unwrap().is_empty() && received.disputed().is_none());
}

#[tokio::test]
async fn what_was_found_at_a_mint_counts_for_one_deposit_that_was_asked_for_before() {
    let store = store().await;
    let found = |at: u64, sats: u64| {
        store.set_meta(move |meta| meta.remember_found("https://mint.example".to_owned(), at, sats))
    };
    let received = |one: &Deposit| Deposit {
        state: DepositState::Received { at: NOW + 9, received_sats: 21 },
        ..one.clone()
    };
    let (one, other, elsewhere) = (
        deposit(),
        deposit(),
        Deposit { mint: "https://other.example".parse().unwrap(), ..deposit() },
    );
    let credit =
        async |one: &Deposit| store.receive_found(received(one), Vec::new()).await.unwrap();
    found(NOW - 1, 1_000).await.unwrap();
    found(NOW, 20).await.unwrap();
    assert!(!credit(&one).await, "too little was found after it was asked for");
    assert_eq!(store.deposit(&one.id).await.unwrap(), None);
    found(NOW + 5, 20).await.unwrap();
    assert_eq!(
        (credit(&elsewhere).await, credit(&one).await, credit(&other).await),
        (false, true, false)
    );
    assert_eq!(store.deposit(&one.id).await.unwrap(), Some(received(&one)));
    found(NOW + 6, 2).await.unwrap();
    assert!(credit(&other).await, "with what was left of the first");
}
