//! Fills the file of such a wallet, using only the store.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use cdk_common::Amount;
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::{CurrencyUnit, Id, Proof, ProofDleq, PublicKey, SecretKey, State};
use cdk_common::secret::Secret as CoinSecret;
use cdk_common::wallet::ProofInfo;
use nutpurse::testing::model::deposit::{Deposit, DepositState};
use nutpurse::testing::model::id::{DepositId, PaymentId};
use nutpurse::testing::model::mint::MoneyKind;
use nutpurse::testing::model::payment::{KindName, Melted, Payment, PaymentKind, PaymentState};
use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::store::{Change, Store, TokenRow};
use rand::Rng;
use uuid::Uuid;

pub(super) const MINT: &str = "https://mint.example.com";

/// The time of the measurement, in Unix seconds.
const NOW: u64 = 1_800_000_000;
/// The number of days over which the payments are spread.
const DAYS: u64 = 1_000;
/// The number of proofs that a payment spends, and of those it gets as change.
const COINS: usize = 3;

static TIME: AtomicU64 = AtomicU64::new(NOW);

pub(super) fn clock() -> u64 {
    TIME.load(Ordering::Relaxed)
}

fn hex(bytes: usize) -> String {
    let mut random = rand::rng();
    (0..bytes).map(|_| format!("{:02x}", random.random::<u8>())).collect()
}

/// A maker of proofs that reuse a few real points as signatures, since only their length matters.
struct Press(Vec<PublicKey>);

impl Press {
    fn new() -> Self {
        Self((0..64).map(|_| SecretKey::generate().public_key()).collect())
    }

    fn coins(&self, count: usize, state: State) -> Vec<ProofInfo> {
        let mut random = rand::rng();
        let make = |_| {
            let dleq = ProofDleq {
                e: SecretKey::generate(),
                s: SecretKey::generate(),
                r: SecretKey::generate(),
            };
            let proof = Proof {
                amount: Amount::from(1_u64 << random.random_range(0..10)),
                keyset_id: Id::from_str("00916bbf7ef91a36").unwrap(),
                secret: CoinSecret::new(hex(32)),
                c: self.0[random.random_range(0..self.0.len())],
                witness: None,
                dleq: Some(dleq),
                p2pk_e: None,
            };
            let mint = MintUrl::from_str(MINT).unwrap();
            ProofInfo {
                used_by_operation: Some(Uuid::new_v4()),
                ..ProofInfo::new(proof, mint, state, CurrencyUnit::Sat).unwrap()
            }
        };
        (0..count).map(make).collect()
    }
}

fn payment(kind: KindName, at: u64) -> Payment {
    let of_invoice = kind == KindName::Payment;
    Payment {
        id: PaymentId::random(),
        agent: "researcher".to_owned(),
        kind: if of_invoice {
            PaymentKind::Lightning(Melted {
                payment_hash: hex(32),
                quote_id: Uuid::new_v4().to_string(),
                fetched: None,
            })
        } else {
            PaymentKind::Token
        },
        key: Some(Uuid::new_v4().to_string()),
        request_digest: hex(32),
        payee: hex(33),
        shown_payee: None,
        note: Some("one page of a paid report".to_owned()),
        note_is_untrusted: true,
        mint: MINT.parse().unwrap(),
        money: MoneyKind::Play,
        amount_sats: 100,
        reserved_sats: 102,
        created_at: at,
        attempt: 1,
        repeat_of: None,
        outcome_undelivered: false,
        state: PaymentState::Settled {
            at,
            fee_sats: 1,
            preimage: of_invoice.then(|| Secret::new(hex(32))),
            claimed: false,
        },
    }
}

fn deposit(at: u64, state: DepositState) -> Deposit {
    Deposit {
        id: DepositId::random(),
        agent: "researcher".to_owned(),
        key: Some(Uuid::new_v4().to_string()),
        request_digest: hex(32),
        mint: MINT.parse().unwrap(),
        money: MoneyKind::Play,
        quote_id: Uuid::new_v4().to_string(),
        lock: Some(7),
        quote_key: None,
        bolt11: format!("lnbc1{}", hex(140)),
        amount_sats: 1_000,
        description: Some("more to spend".to_owned()),
        created_at: at,
        expires_at: at + 3_600,
        dispute: None,
        state,
    }
}

async fn admit(store: &Store, payment: Payment, beside: Vec<Change>) {
    store.admit::<()>(payment, clock(), beside, |_| Ok(())).await.unwrap();
}

fn spend(coins: Vec<ProofInfo>) -> Change {
    Change::ProofState {
        ys: coins.iter().map(|coin| coin.y).collect(),
        expect: None,
        to: State::Spent,
        operation: Some(Uuid::new_v4()),
    }
}

/// Shrinks the spent proofs, as a running wallet does every six hours.
async fn shrink(store: &Store, at: u64) {
    let mut place = None;
    loop {
        place = store
            .shrink_archive(place, 5_000, at.saturating_sub(90 * 86_400), BTreeSet::new())
            .await
            .unwrap();
        if place.is_none() {
            return;
        }
    }
}

/// Writes the payments of all days, each with spent and new proofs, then the tokens and invoices of
/// the last week.
pub(super) async fn fill(path: &Path, payments: usize) {
    let press = Press::new();
    TIME.store(NOW - DAYS * 86_400, Ordering::Relaxed);
    let store = Store::open(path.to_path_buf(), clock).await.unwrap();
    let mut coins = press.coins(300, State::Unspent);
    store.commit(vec![Change::Proofs { add: coins.clone() }]).await.unwrap();
    let mut beside = Vec::new();
    for number in 0..payments {
        let at = NOW - DAYS * 86_400 + number as u64 * DAYS * 86_400 / payments as u64;
        TIME.store(at, Ordering::Relaxed);
        if number.is_multiple_of((payments / 20).max(1)) {
            shrink(&store, at).await;
        }
        let new = press.coins(COINS, State::Unspent);
        beside.extend([spend(coins.drain(..COINS).collect()), Change::Proofs { add: new.clone() }]);
        coins.extend(new);
        if number.is_multiple_of(100) {
            beside.push(Change::Deposit(deposit(
                at,
                DepositState::Received { at, received_sats: 1_000 },
            )));
            admit(&store, payment(KindName::Payment, at), std::mem::take(&mut beside)).await;
        } else {
            admit(&store, payment(KindName::Payment, at), Vec::new()).await;
        }
    }
    let week = |number: usize, of: usize| NOW - 7 * 86_400 + number as u64 * 7 * 86_400 / of as u64;
    let (tokens, invoices) = ((payments / 50).max(1), (payments / 10).max(1));
    for number in 0..tokens {
        let (one, coins) = (
            payment(KindName::TokenSent, week(number, tokens)),
            press.coins(COINS, State::PendingSpent),
        );
        let ys = coins.iter().map(|coin| coin.y).collect();
        let row = TokenRow {
            token: Secret::new(format!("cashuB{}", hex(300))),
            ys,
            locked: false,
            claimed_at: None,
        };
        let token = Change::Token { payment: one.id.clone(), row };
        admit(&store, one, vec![Change::Proofs { add: coins }, token]).await;
    }
    TIME.store(NOW, Ordering::Relaxed);
    let mut open: Vec<Change> = (0..invoices)
        .map(|number| Change::Deposit(deposit(week(number, invoices), DepositState::Unpaid)))
        .collect();
    while !open.is_empty() {
        store.commit(open.split_off(open.len().saturating_sub(500))).await.unwrap();
    }
}

/// Writes one more payment.
pub(super) async fn one_more(store: &Store) {
    admit(store, payment(KindName::Payment, NOW), Vec::new()).await;
}
