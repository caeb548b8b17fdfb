//! Open invoices: what is kept at hand of them, and until when.

use super::super::Change;
use super::samples::{self, NOW, store};
use crate::model::deposit::{Deposit, DepositState};

const DAY: u64 = 86_400;

/// An invoice of now that runs out in an hour.
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
        assert_eq!((store.open_deposits().await.unwrap().len(), one.is_asked(at)), (open, open == 1), "{at}");
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
    store.commit(vec![Change::Deposit(Deposit { state: DepositState::Received { at: NOW, received_sats: 1 }, ..paid })]).await.unwrap();
    assert!(store.incoming().await.unwrap().is_empty() && store.unfinished(|_| true).await.unwrap().deposits.is_empty());
}
