//! Stored sums match the rows, whatever happens to the records.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::history::{Word, read_word};
use super::super::{Change, HistoryFilter, PolicyChange, Store, deposits};
use super::samples::{NOW, deposit, payment, receive, store, zap};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::history_line::{Direction, EntryKind, HistorySums};
use crate::model::payment::{FailureReason, Payment, PaymentKind, PaymentState, StoredFailure};
use crate::model::receive::{Receive, ReceiveState};

const DAY: u64 = 86_400;
const MINTS: [&str; 2] = ["https://one.example", "https://two.example"];

fn day(random: &mut StdRng) -> u64 {
    NOW + random.random_range(0..5 * DAY)
}

/// Returns the payment in a random state that may follow its state.
async fn next(random: &mut StdRng, payment: &Payment) -> Payment {
    let at = day(random);
    let failure = StoredFailure { reason: FailureReason::RouteNotFound, untrusted_reason: None };
    let state = match (&payment.state, random.random_range(0..3)) {
        (PaymentState::Reserved, 0) => PaymentState::Sent { since: at, acknowledged: true },
        (PaymentState::Reserved | PaymentState::Sent { .. }, 1) => {
            PaymentState::Failed { at, failure }
        }
        (PaymentState::Reserved | PaymentState::Sent { .. }, _) => {
            PaymentState::Settled { at, fee_sats: 3, preimage: None, claimed: false }
        }
        (PaymentState::Settled { .. }, 0) => {
            PaymentState::Returned { at, reclaimed_sats: payment.amount_sats - 1, fee_sats: 4 }
        }
        (other, _) => other.clone(),
    };
    Payment { state, ..payment.clone() }
}

async fn step(
    store: &Store,
    random: &mut StdRng,
    all: &mut (Vec<Payment>, Vec<Deposit>, Vec<Receive>),
) {
    let (at, mint) = (day(random), MINTS[random.random_range(0..2)].parse().unwrap());
    match random.random_range(0..8) {
        0 => {
            let mut one = Payment {
                mint,
                created_at: at,
                ..payment(random.random_range(1..500), None, None, None)
            };
            match random.random_range(0..3) {
                0 => {}
                1 => one.kind = PaymentKind::Token,
                _ => one.kind = zap(),
            }
            store.admit::<()>(one.clone(), at, Vec::new(), |_| Ok(())).await.unwrap();
            all.0.push(one);
        }
        1 => {
            let expires_at = if random.random() { at + random.random_range(0..9 * DAY) } else { 0 };
            all.1.push(Deposit {
                mint,
                expires_at,
                amount_sats: random.random_range(1..500),
                ..deposit(at, DepositState::Unpaid)
            });
            store
                .commit(all.1.last().cloned().map(Change::Deposit).into_iter().collect())
                .await
                .unwrap();
        }
        2 => {
            all.2.push(Receive { mint, amount_sats: random.random_range(1..500), ..receive(at) });
            store
                .commit(all.2.last().cloned().map(Change::Receive).into_iter().collect())
                .await
                .unwrap();
        }
        3 => {
            let change = PolicyChange { at, text: "a limit".to_owned(), loosened: false };
            store.commit(vec![Change::Policy(change)]).await.unwrap();
        }
        4 if !all.1.is_empty() => {
            let place = random.random_range(0..all.1.len());
            let state = match random.random_range(0..3) {
                _ if !all.1[place].is_open() => return,
                0 => DepositState::Paid,
                1 => DepositState::Expired,
                _ => DepositState::Received { at, received_sats: all.1[place].amount_sats },
            };
            all.1[place].state = state;
            store.commit(vec![Change::Deposit(all.1[place].clone())]).await.unwrap();
        }
        5 if !all.2.is_empty() => {
            let place = random.random_range(0..all.2.len());
            all.2[place].state = ReceiveState::Received {
                at,
                received_sats: all.2[place].amount_sats - 1,
                fee_sats: 1,
            };
            store.commit(vec![Change::Receive(all.2[place].clone())]).await.unwrap();
        }
        _ if !all.0.is_empty() => {
            let place = random.random_range(0..all.0.len());
            all.0[place] = next(random, &all.0[place]).await;
            store.commit(vec![Change::Payment(all.0[place].clone())]).await.unwrap();
        }
        _ => {}
    }
}

#[test]
fn kinds_and_directions_have_these_words_in_the_file() {
    for (kind, word) in [
        (EntryKind::Deposit, "deposit"),
        (EntryKind::Payment, "payment"),
        (EntryKind::TokenSent, "token_sent"),
        (EntryKind::TokenReceived, "token_received"),
        (EntryKind::TokenReclaimed, "token_reclaimed"),
        (EntryKind::Zap, "zap"),
        (EntryKind::NutzapReceived, "nutzap_received"),
        (EntryKind::Policy, "policy"),
    ] {
        assert_eq!((Word(kind).to_string(), read_word(word).unwrap()), (word.to_owned(), kind));
    }
    for (way, word) in [(Direction::In, "in"), (Direction::Out, "out"), (Direction::None, "none")] {
        assert_eq!((Word(way).to_string(), read_word(word).unwrap()), (word.to_owned(), way));
    }
    assert!(read_word::<Direction>("sideways").is_err());
}

type Key = (u64, u64, bool, String, String, String);

/// Returns the sums, and the same sums computed from every row.
async fn both(
    store: &Store,
    since: Option<u64>,
    until: Option<u64>,
) -> [BTreeMap<Key, HistorySums>; 2] {
    let mut sums: [BTreeMap<Key, HistorySums>; 2] = Default::default();
    for (tally, more) in store.history_sums(since, until).await.unwrap() {
        let key = (
            tally.day,
            tally.shown_day,
            tally.money.is_some(),
            format!("{:?}", tally.kind),
            format!("{:?}", tally.direction),
            tally.mint,
        );
        let sum = sums[0].entry(key).or_default();
        *sum = sum.and(more);
    }
    let query = HistoryFilter { since, until, limit: usize::MAX, before: None };
    for (place, row) in store.history(query).await.unwrap() {
        let mint = match &row {
            super::super::HistoryRow::Payment(one) => one.mint.to_string(),
            super::super::HistoryRow::Deposit(one) => one.mint.to_string(),
            super::super::HistoryRow::Receive(one) => one.mint.to_string(),
            super::super::HistoryRow::Policy { .. } => String::new(),
        };
        for line in row.lines() {
            let (kind, direction) = (format!("{:?}", line.kind), format!("{:?}", line.direction));
            let sum = sums[1]
                .entry((
                    place.at / DAY,
                    line.at / DAY,
                    row.money().is_some(),
                    kind,
                    direction,
                    mint.clone(),
                ))
                .or_default();
            *sum = sum.and(line.sums());
        }
    }
    sums
}

#[tokio::test]
async fn sums_of_the_history_and_of_deposits_are_those_of_all_rows() {
    let seed = std::env::var("NUTPURSE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("NUTPURSE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (store, mut all) = (store().await, Default::default());
    for number in 0..400 {
        step(&store, &mut random, &mut all).await;
        if number % 20 > 0 {
            continue;
        }
        let [sums, rows] = both(&store, None, None).await;
        assert_eq!(sums, rows);
        let (one, other) = (day(&mut random), day(&mut random));
        for (since, until) in [
            (Some(one), Some(other)),
            (None, Some(one)),
            (Some(other), None),
            (Some(one / DAY * DAY), Some(one)),
        ] {
            let [sums, rows] = both(&store, since, until).await;
            assert_eq!(sums, rows, "from {since:?} until {until:?}");
        }
        let incoming: BTreeMap<String, u64> =
            store.incoming().await.unwrap().into_iter().filter(|(_, sum)| *sum > 0).collect();
        let mut paid: BTreeMap<String, u64> = BTreeMap::new();
        for deposit in all.1.iter().filter(|deposit| deposit.state == DepositState::Paid) {
            *paid.entry(deposit.mint.to_string()).or_default() += deposit.amount_sats;
        }
        assert_eq!(incoming, paid);
        let from = day(&mut random);
        let payable = |one: &&Deposit| {
            one.is_open()
                && (one.state == DepositState::Paid
                    || one.expires_at == 0
                    || one.expires_at >= from)
        };
        for mint in MINTS {
            let here = all
                .1
                .iter()
                .filter(|one| one.mint.as_str() == mint)
                .filter(payable)
                .map(|one| one.amount_sats)
                .sum::<u64>();
            assert_eq!(
                store.read(move |tx| deposits::promised(tx, mint, from)).await.unwrap(),
                here
            );
        }
    }
}
