//! Admission: one transaction, no two payments under one limit, repeats recognized, failures tried
//! again under their id.

use cdk_common::nuts::State;

use super::super::{Admission, Change, OperationRow, Store, StoreError};
use super::samples::{NOW, clock, coins, counters, keyset, operation, payment, store, take};
use crate::model::ledger::{DAY_SECONDS, Ledger, REPEAT_SECONDS};
use crate::model::payment::{FailureReason, KindName, Payment, PaymentState, StoredFailure};

async fn admit(store: &Store, payment: Payment) -> Admission<()> {
    store.admit(payment, NOW, Vec::new(), |_| Ok(())).await.unwrap()
}

async fn decide(store: &Store, payment: &Payment, state: PaymentState) {
    store.commit(vec![Change::Payment(Payment { state, ..payment.clone() })]).await.unwrap();
}

fn failed() -> PaymentState {
    PaymentState::Failed {
        at: NOW,
        failure: StoredFailure { reason: FailureReason::RouteNotFound, untrusted_reason: None },
    }
}

fn sent() -> PaymentState {
    PaymentState::Sent { since: NOW, acknowledged: false }
}

fn settled(at: u64) -> PaymentState {
    PaymentState::Settled { at, fee_sats: 1, preimage: None, claimed: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_only_what_fits_the_limit_is_admitted() {
    let store = store().await;
    let tries: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let asked = payment(98, None, None, None);
                let fits = asked.reserved_sats;
                let fits = move |ledger: &Ledger| {
                    if ledger.all.used_sats() + fits <= 250 { Ok(()) } else { Err("limit") }
                };
                store.admit(asked, NOW, Vec::new(), fits).await.unwrap()
            })
        })
        .collect();
    let mut admitted = 0;
    for one in tries {
        match one.await.unwrap() {
            Admission::Admitted(_) => admitted += 1,
            Admission::Denied(why) => assert_eq!(why, "limit"),
            Admission::Known(known) => panic!("nothing is a repeat here: {known:?}"),
        }
    }
    assert_eq!(admitted, 2);
    assert_eq!(store.ledger("agent", None, NOW).await.unwrap().all.reserved_sats, 200);
    assert_eq!(store.durable_commits(), 2, "a denial writes nothing");
}

#[tokio::test]
async fn a_hash_is_known_to_every_agent_and_a_key_to_its_own() {
    let store = store().await;
    let first = payment(5, Some("aa"), Some("k"), Some("q1"));
    assert!(matches!(admit(&store, first.clone()).await, Admission::Admitted(row) if row == first));

    let mut other = payment(5, Some("aa"), None, Some("q2"));
    other.agent = "another".to_owned();
    assert_eq!(admit(&store, other).await, Admission::Known(first.clone()));
    assert_eq!(
        admit(&store, payment(5, Some("bb"), Some("k"), None)).await,
        Admission::Known(first.clone())
    );

    let mut elsewhere = payment(5, Some("cc"), Some("k"), None);
    elsewhere.agent = "another".to_owned();
    assert!(matches!(admit(&store, elsewhere).await, Admission::Admitted(_)));

    decide(&store, &first, settled(NOW)).await;
    assert!(
        matches!(admit(&store, payment(5, Some("aa"), None, None)).await, Admission::Known(row) if row.id == first.id)
    );
    assert_eq!(store.payment_by_key("tester", "k").await.unwrap().unwrap().id, first.id);
    assert_eq!(store.payment_by_hash("aa").await.unwrap().unwrap().id, first.id);
}

#[tokio::test]
async fn a_failure_is_tried_again_under_its_own_id() {
    let store = store().await;
    let first = Payment { created_at: NOW - 50, ..payment(5, Some("aa"), Some("k1"), Some("q1")) };
    admit(&store, first.clone()).await;
    decide(&store, &first, failed()).await;
    assert_eq!(
        store.ledger("agent", None, NOW).await.unwrap().all.used_sats(),
        0,
        "a failure gives its money back, once"
    );

    let stranger = payment(5, Some("aa"), Some("k2"), Some("q2"));
    assert!(
        matches!(admit(&store, stranger.clone()).await, Admission::Known(row) if row.id == first.id && !row.is_open())
    );

    let again = Payment { id: first.id.clone(), ..stranger };
    let Admission::Admitted(row) = admit(&store, again).await else { panic!("not admitted") };
    assert_eq!((row.attempt, row.created_at, row.id.clone()), (2, NOW - 50, first.id.clone()));
    for key in ["k1", "k2"] {
        assert_eq!(store.payment_by_key("tester", key).await.unwrap().unwrap().id, first.id);
    }
    assert_eq!(store.open_payments().await.unwrap(), vec![row]);
}

#[tokio::test]
async fn a_decided_payment_does_not_open_again_and_none_appears_from_nothing() {
    let store = store().await;
    let one = payment(5, Some("aa"), None, None);
    assert!(store.commit(vec![Change::Payment(one.clone())]).await.is_err());
    admit(&store, one.clone()).await;
    decide(&store, &one, settled(NOW)).await;
    assert!(store.commit(vec![Change::Payment(one.clone())]).await.is_err());
    assert!(!store.payment(&one.id).await.unwrap().unwrap().is_open());

    let sent = Payment { state: sent(), ..payment(5, Some("bb"), None, None) };
    assert!(
        matches!(admit(&store, sent.clone()).await, Admission::Admitted(row) if row == sent),
        "it is as the caller says"
    );
    let unsent = Payment { state: PaymentState::Reserved, ..sent };
    assert!(matches!(
        store.commit(vec![Change::Payment(unsent)]).await,
        Err(StoreError::Transition { .. })
    ));
}

#[tokio::test]
async fn what_is_written_beside_is_written_with_the_admission_or_not_at_all() {
    let store = store().await;
    let infos = coins(&[64, 32]);
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    let melt = |row: &OperationRow| {
        vec![
            take(&infos, row.id),
            Change::UseCounters(counters(&[0, 1])),
            Change::Operation(row.clone()),
        ]
    };
    let pays = |hash| Payment { state: sent(), ..payment(90, Some(hash), None, None) };
    let (first, second) = (operation(true), operation(true));
    let denied = store.admit(pays("aa"), NOW, melt(&first), |_| Err("no")).await.unwrap();
    assert_eq!((denied, store.operations().await.unwrap()), (Admission::Denied("no"), Vec::new()));

    let one = pays("aa");
    assert_eq!(
        store.admit::<()>(one.clone(), NOW, melt(&first), |_| Ok(())).await.unwrap(),
        Admission::Admitted(one.clone())
    );
    // The proofs are taken: another payment with them is not admitted.
    let other = pays("bb");
    let refused = store.admit::<()>(other.clone(), NOW, melt(&second), |_| Ok(())).await;
    assert!(matches!(refused, Err(StoreError::ProofNotUnspent)), "{refused:?}");
    assert_eq!(store.payment(&other.id).await.unwrap(), None);
    // Another payment cannot free them either, or count as a repeat.
    let free = Change::ProofState {
        ys: vec![infos[0].y],
        expect: None,
        to: State::Unspent,
        operation: None,
    };
    assert!(matches!(
        store.admit::<()>(other, NOW, vec![free], |_| Ok(())).await,
        Err(StoreError::Undecided)
    ));
    assert_eq!(
        store.admit::<()>(pays("aa"), NOW, melt(&second), |_| Ok(())).await.unwrap(),
        Admission::Known(one)
    );
    assert_eq!(store.operations().await.unwrap(), vec![first]);
    assert_eq!(
        (
            store.balances().await.unwrap()[0].pending,
            store.keyset_counter(0, &keyset()).await.unwrap()
        ),
        (96, 2)
    );
}

#[tokio::test]
async fn the_ledger_holds_a_rolling_day_and_what_looks_alike() {
    let store = store().await;
    let mut ids = Vec::new();
    for (age, doubt) in
        [(DAY_SECONDS, false), (DAY_SECONDS - 1, true), (REPEAT_SECONDS, false), (10, false)]
    {
        let one = Payment {
            created_at: NOW - age,
            outcome_undelivered: doubt,
            ..payment(10, None, None, None)
        };
        admit(&store, one.clone()).await;
        decide(&store, &one, settled(NOW - age)).await;
        ids.push(one.id);
    }
    let open = Payment { amount_sats: 11, ..payment(11, None, None, None) };
    admit(&store, open).await;
    let ledger = store
        .ledger("agent", Some((KindName::Payment, "payee".to_owned(), 10)), NOW)
        .await
        .unwrap();
    assert_eq!((ledger.all.spent_sats, ledger.all.reserved_sats), (33, 13));
    assert_eq!(ledger.all.frees.first(), Some(&(NOW + 1, 11)));
    let alike: Vec<_> = ledger.lookalikes.iter().map(|one| one.id.clone()).collect();
    assert_eq!(
        alike,
        vec![ids[3].clone(), ids[1].clone()],
        "newest first; the one in doubt for a day, the rest for ten minutes"
    );
    let other = store
        .ledger("agent", Some((KindName::TokenSent, "payee".to_owned(), 10)), NOW)
        .await
        .unwrap();
    assert!(other.lookalikes.is_empty());
    assert_eq!(clock(), NOW);
}

/// Creates a wallet that paid 10 sats and a fee of 1 at this time.
async fn paid_at(at: u64) -> (Store, Payment) {
    let (store, one) = (store().await, payment(10, None, None, None));
    admit(&store, one.clone()).await;
    decide(&store, &one, settled(at)).await;
    (store, one)
}

async fn used(store: &Store, now: u64) -> u64 {
    store.ledger("agent", None, now).await.unwrap().all.used_sats()
}

const YEAR: u64 = 365 * DAY_SECONDS;

#[tokio::test]
async fn what_was_paid_by_a_clock_a_year_ahead_counts_for_a_day_and_never_again() {
    let (store, one) = paid_at(NOW + YEAR).await;
    for later in [0, 10, DAY_SECONDS - 1] {
        assert_eq!(used(&store, NOW + later).await, 11, "{later} s later");
    }
    assert_eq!(store.durable_commits(), 3, "what was seen is written down once");
    let frees = store.ledger("agent", None, NOW + 10).await.unwrap().all.frees;
    assert_eq!(frees, [(NOW + DAY_SECONDS, 11)]);
    for later in [DAY_SECONDS, DAY_SECONDS + 1, 10, YEAR, YEAR + 1] {
        assert_eq!(used(&store, NOW + later).await, 0, "{later} s later");
    }
    // Its change comes in, or its token is claimed: it is still the same payment.
    let claimed =
        PaymentState::Settled { at: NOW + YEAR, fee_sats: 0, preimage: None, claimed: true };
    decide(&store, &one, claimed).await;
    assert_eq!(used(&store, NOW + DAY_SECONDS + 2).await, 0);
    let alike = store
        .ledger("agent", Some((KindName::Payment, "payee".to_owned(), 10)), NOW + DAY_SECONDS + 2)
        .await
        .unwrap();
    assert!(alike.lookalikes.is_empty(), "nor does it stand in the way of its like");
}

#[tokio::test]
async fn change_that_comes_in_late_lowers_what_was_spent_and_keeps_since_when() {
    let (store, one) = paid_at(NOW + YEAR).await;
    assert_eq!(used(&store, NOW).await, 11);
    decide(
        &store,
        &one,
        PaymentState::Settled { at: NOW + YEAR, fee_sats: 0, preimage: None, claimed: true },
    )
    .await;
    let ledger = store.ledger(&one.agent, None, NOW + 10).await.unwrap();
    assert_eq!((ledger.all.frees, ledger.own.spent_sats), (vec![(NOW + DAY_SECONDS, 10)], 10));
}

#[tokio::test]
async fn a_clock_that_goes_back_and_ahead_again_frees_nothing_early() {
    let (store, _one) = paid_at(NOW).await;
    let (day, hour) = (DAY_SECONDS, 3_600);
    for now in [
        NOW - hour,
        NOW + hour,
        NOW - day,
        NOW + day - 120,
        NOW - 10 * YEAR,
        NOW + day - 60,
        NOW - day + 1,
        NOW + day - 1,
    ] {
        assert_eq!(used(&store, now).await, 11, "{} s away", now.abs_diff(NOW));
    }
    assert_eq!(used(&store, NOW + day).await, 0);
    // A clock within minutes of the payment is trusted, and nothing is written.
    let (store, _one) = paid_at(NOW).await;
    assert_eq!((used(&store, NOW - 200).await, store.durable_commits()), (11, 2));
}

#[tokio::test]
async fn a_day_that_is_used_up_by_a_clock_a_year_ahead_ends_a_day_after_that_was_seen() {
    let store = store().await;
    store.set_meta(|meta| meta.window_full_until = Some(NOW + YEAR + DAY_SECONDS)).await.unwrap();
    let full = async |now| store.ledger("agent", None, now).await.unwrap().full_until;
    assert_eq!(
        (full(NOW).await, full(NOW + 10).await),
        (Some(NOW + DAY_SECONDS), Some(NOW + DAY_SECONDS))
    );
    assert_eq!((full(NOW + DAY_SECONDS).await, full(NOW + YEAR + 1).await), (None, None));

    store.set_meta(|meta| meta.window_full_until = Some(NOW + DAY_SECONDS)).await.unwrap();
    for now in [NOW - YEAR, NOW + 1, NOW - DAY_SECONDS, NOW + DAY_SECONDS - 1] {
        assert!(full(now).await.is_some(), "{} s away", now.abs_diff(NOW));
    }
    assert_eq!(full(NOW + DAY_SECONDS).await, None);
}

#[tokio::test]
async fn a_payment_becomes_only_what_follows_from_what_it_is() {
    let returned = PaymentState::Returned { at: NOW, reclaimed_sats: 9, fee_sats: 2 };
    let states = [PaymentState::Reserved, sent(), settled(NOW), failed(), returned];
    // Rows are the state before, columns the state after: reserved, sent, settled, failed,
    // returned.
    let allowed =
        [[1, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]];
    for (before, row) in states.iter().zip(allowed) {
        for (after, may) in states.iter().zip(row) {
            let store = store().await;
            let one = payment(5, None, None, None);
            admit(&store, one.clone()).await;
            if matches!(before, PaymentState::Returned { .. }) {
                decide(&store, &one, settled(NOW)).await;
            }
            decide(&store, &one, before.clone()).await;
            let told = store
                .commit(vec![Change::Payment(Payment { state: after.clone(), ..one.clone() })])
                .await;
            assert_eq!(told.is_ok(), may == 1, "{before:?} to {after:?}: {told:?}");
            let is = store.payment(&one.id).await.unwrap().unwrap().state;
            assert_eq!(&is, if may == 1 { after } else { before });
        }
    }
}
