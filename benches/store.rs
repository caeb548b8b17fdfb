//! The store at 100, 10,000 and 100,000 proofs on a file: balances, choose, reserve, a warm
//! payment, open.
//!
//! Prints one table of medians in microseconds. `cargo bench --bench store`; with `-- growth`, the
//! output of `growth` instead.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

mod growth;

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdk_common::Amount;
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::{CurrencyUnit, Id, Proof, PublicKey, SecretKey, State};
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use nutpurse::testing::model::id::PaymentId;
use nutpurse::testing::model::money::Unit;
use nutpurse::testing::model::payment::{Melted, Payment, PaymentKind, PaymentState};
use nutpurse::testing::model::subject::Subject;
use nutpurse::testing::ports::{Counters, MintRecords};
use nutpurse::testing::store::{Change, Need, OperationRow, Store};
use uuid::Uuid;

type Records = Arc<dyn MintRecords>;

const NOW: u64 = 1_800_000_000;
const ROUNDS: usize = 101;

fn clock() -> u64 {
    NOW
}

fn mint() -> MintUrl {
    MintUrl::from_str("https://mint.example").unwrap()
}

fn keyset() -> Id {
    Id::from_str("00916bbf7ef91a36").unwrap()
}

fn coin(amount: u64, c: PublicKey) -> ProofInfo {
    let proof = Proof {
        amount: Amount::from(amount),
        keyset_id: keyset(),
        secret: Secret::generate(),
        c,
        witness: None,
        dleq: None,
        p2pk_e: None,
    };
    ProofInfo::new(proof, mint(), State::Unspent, CurrencyUnit::Sat).unwrap()
}

async fn fill(store: &Store, count: usize) {
    let c = SecretKey::generate().public_key();
    let mut left = count;
    while left > 0 {
        let part = left.min(1000);
        let add = (0..part).map(|at| coin(1 << (at % 14), c)).collect();
        store.commit(vec![Change::Proofs { add }]).await.unwrap();
        left -= part;
    }
}

fn payment(quote: &str) -> Payment {
    Payment {
        id: PaymentId::random(),
        agent: "bench".to_owned(),
        kind: PaymentKind::Lightning(Melted {
            payment_hash: quote.to_owned(),
            quote_id: quote.to_owned(),
            fetched: None,
        }),
        key: None,
        request_digest: String::new(),
        payee: "payee".to_owned(),
        shown_payee: None,
        note: None,
        note_is_untrusted: false,
        mint: "https://mint.example".parse().unwrap(),
        money: nutpurse::testing::model::mint::MoneyKind::Play,
        amount_sats: 100,
        reserved_sats: 102,
        created_at: NOW,
        attempt: 1,
        repeat_of: None,
        outcome_undelivered: false,
        state: PaymentState::Reserved,
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

async fn timed<F: Future<Output = ()>>(rounds: usize, mut once: impl FnMut() -> F) -> f64 {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        once().await;
        times.push(start.elapsed());
    }
    median(times)
}

async fn inputs(store: &Store, amount: u64) -> Vec<ProofInfo> {
    let fees = HashMap::from([(keyset(), 100)]);
    store
        .select_inputs(
            &"https://mint.example".parse().unwrap(),
            &Unit::sat(),
            Need::Spend { amount, fee_at_most: u64::MAX },
            fees,
        )
        .await
        .unwrap()
        .unwrap()
        .proofs
}

fn ys(infos: &[ProofInfo]) -> Vec<PublicKey> {
    infos.iter().map(|info| info.y).collect()
}

/// Builds an operation under way, with a body as long as a melt's.
fn operation() -> OperationRow {
    OperationRow {
        id: Uuid::new_v4(),
        holds: true,
        body: vec![7; 4_096],
        subject: Some(Subject::Payment(PaymentId::random())),
    }
}

/// The changes that write the operation's row and reserve unspent proofs for it.
fn begun(row: &OperationRow, coins: &[ProofInfo]) -> Vec<Change> {
    let take = Change::ProofState {
        ys: ys(coins),
        expect: Some(vec![State::Unspent]),
        to: State::Reserved,
        operation: Some(row.id),
    };
    vec![take, Change::Operation(row.clone())]
}

/// Makes a payment in two durable commits: admits it with the melt's row, inputs and counters, and
/// settles it with change.
async fn pay(store: &Store, records: &Records, change: PublicKey) {
    let melt = operation();
    let state = PaymentState::Sent { since: NOW, acknowledged: false };
    let one = Payment { state, ..payment(&melt.id.to_string()) };
    let chosen = inputs(store, 102).await;
    let indices = records.free_counters(&keyset(), 8).await.unwrap();
    let blank = Counters { device: records.device(), keyset: keyset(), indices };
    let beside = [begun(&melt, &chosen), vec![Change::UseCounters(blank.clone())]].concat();
    store.admit::<()>(one.clone(), NOW, beside, |_| Ok(())).await.unwrap();
    // Dated two days ago, since the day's ledger is measured on its own line.
    let state =
        PaymentState::Settled { at: NOW - 172_800, fee_sats: 1, preimage: None, claimed: false };
    let ended = vec![
        Change::ProofState { ys: ys(&chosen), expect: None, to: State::Spent, operation: None },
        Change::Proofs {
            add: chosen.iter().map(|info| coin(info.proof.amount.to_u64(), change)).collect(),
        },
        Change::EndOperation(melt.id),
        Change::FreeCounters(blank),
        Change::Payment(Payment { state, ..one }),
    ];
    store.commit(ended).await.unwrap();
}

fn copy(from: &Path, name: &str) -> std::path::PathBuf {
    let to = from.with_file_name(name);
    std::fs::copy(from, &to).unwrap();
    to
}

async fn measure(count: usize) -> Vec<(&'static str, f64)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.redb");
    let store = Store::open(path.clone(), clock).await.unwrap();
    let records = store.records(0);
    fill(&store, count).await;
    let mut lines = Vec::new();

    lines.push((
        "balances",
        timed(ROUNDS, || async { drop(black_box(store.balances().await.unwrap())) }).await,
    ));
    lines.push(("choose 102", timed(ROUNDS, || async { drop(inputs(&store, 102).await) }).await));
    lines.push(("choose 77,777", {
        let enough = store.balances().await.unwrap()[0].unspent > 80_000;
        if enough {
            timed(ROUNDS, || async { drop(inputs(&store, 77_777).await) }).await
        } else {
            f64::NAN
        }
    }));
    let chosen = inputs(&store, 102).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let row = operation();
        let start = Instant::now();
        store.commit(begun(&row, &chosen)).await.unwrap();
        times.push(start.elapsed());
        let free = Change::ProofState {
            ys: ys(&chosen),
            expect: None,
            to: State::Unspent,
            operation: None,
        };
        store.commit(vec![free, Change::EndOperation(row.id)]).await.unwrap();
    }
    lines.push(("journal and reserve", median(times)));
    lines.push((
        "barrier after one write",
        timed(ROUNDS, || async {
            records.next_quote_key().await.unwrap();
            store.barrier().await.unwrap();
        })
        .await,
    ));
    let change = SecretKey::generate().public_key();
    lines.push(("pay, store's part", timed(ROUNDS, || pay(&store, &records, change)).await));

    // A copy of the open file is what a kill leaves.
    let killed = copy(&path, "killed.redb");
    drop((records, store));
    let start = Instant::now();
    drop(Store::open(killed, clock).await.unwrap());
    lines.push(("open after a kill", start.elapsed().as_secs_f64() * 1e6));
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let store = Store::open(path.clone(), clock).await.unwrap();
        times.push(start.elapsed());
        drop(store);
    }
    lines.push(("open", median(times)));
    let size = std::fs::metadata(&path).unwrap().len();
    lines.push(("file, KiB", size as f64 / 1024.0));
    lines
}

/// Measures the day's ledger after a busy day.
async fn busy_day(payments: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("wallet.redb"), clock).await.unwrap();
    for number in 0..payments {
        let one = payment(&number.to_string());
        store.admit::<()>(one.clone(), NOW, Vec::new(), |_| Ok(())).await.unwrap();
        let state = PaymentState::Settled { at: NOW, fee_sats: 1, preimage: None, claimed: false };
        store.commit(vec![Change::Payment(Payment { state, ..one })]).await.unwrap();
    }
    timed(ROUNDS, || async { drop(store.ledger("agent", None, NOW).await.unwrap()) }).await
}

#[tokio::main]
async fn main() {
    let asked: Vec<String> = std::env::args().collect();
    if let Some(at) = asked.iter().position(|word| word == "growth") {
        let payments = asked.get(at + 1).and_then(|count| count.parse().ok());
        return growth::run(payments.unwrap_or(100_000)).await;
    }
    let counts = [100, 10_000, 100_000];
    let mut columns = Vec::new();
    for count in counts {
        columns.push(measure(count).await);
    }
    println!("{:<26}{:>12}{:>12}{:>12}", "microseconds, median", counts[0], counts[1], counts[2]);
    for (line, (name, _)) in columns[0].iter().enumerate() {
        let of = |column: usize| columns[column][line].1;
        println!("{name:<26}{:>12.0}{:>12.0}{:>12.0}", of(0), of(1), of(2));
    }
    println!("{:<26}{:>12.0}", "ledger, 1,000 payments", busy_day(1000).await);
}
