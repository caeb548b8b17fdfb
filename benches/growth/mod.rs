//! A wallet after years of use: 100,000 payments, 10,000 unpaid invoices, 2,000 unclaimed tokens.
//!
//! Prints its costs: the file's size and opening, a balance, a page of the history, a round in
//! which nothing is due. `cargo bench --bench store -- growth [PAYMENTS]`.

mod fill;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nutpurse::testing::mint::{MintContext, Mints, Seed, Seeds};
use nutpurse::testing::model::keys::KeysPlace;
use nutpurse::testing::model::mint::TrustedMint;
use nutpurse::testing::policy::{Limits, Policy};
use nutpurse::testing::ports::{Http, HttpFailure, HttpRequest, HttpResponse, Socket};
use nutpurse::testing::store::Store;
use nutpurse::testing::wallet::{Caller, HistoryQuery, Parts, Wallet};
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableHandle};

use fill::{MINT, clock};

/// A network without any server.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Http for Nobody {
    async fn send(&self, _request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        Err(HttpFailure::NotSent("nobody is there".to_owned()))
    }

    async fn websocket(&self, _url: &str) -> Result<Socket, HttpFailure> {
        Err(HttpFailure::NotSent("nobody is there".to_owned()))
    }
}

async fn wallet(store: &Store) -> Wallet {
    let limits = Limits {
        per_payment_sats: 100_000,
        per_day_sats: 1_000_000,
        max_fee_hundredths: 200,
        max_fee_floor_sats: 5,
    };
    let mint = TrustedMint { address: MINT.parse().unwrap(), test: true, max_balance_sats: None };
    let rules =
        Arc::new(Policy { limits, paused: false, agents: Default::default(), mints: vec![mint] });
    let http: Arc<dyn Http> = Arc::new(Nobody);
    let (records, seed) = (store.records(0), Seed::new([7; 64]));
    let parts = MintContext {
        http: Arc::clone(&http),
        records,
        seed,
        seeds: Seeds::new(|_| Some(Seed::new([7; 64]))),
    };
    let parts = Parts {
        store: store.clone(),
        mints: Mints::new(parts),
        http,
        rules,
        clock,
        keys: KeysPlace::File,
        nostr: None,
    };
    Wallet::new(parts).await.unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn line(name: &str, took: Duration) {
    println!("{name:<44}{:>12.3} ms", took.as_secs_f64() * 1e3);
}

/// Copies a file as a kill leaves it, and marks that no backup copy is due.
fn killed(path: &Path, folder: &Path) -> std::path::PathBuf {
    let to = folder.join("killed.redb");
    fs::copy(path, &to).unwrap();
    fs::write(folder.join("killed.redb.copy-1"), b"").unwrap();
    to
}

async fn opened(path: &Path) -> (Store, Duration) {
    let start = Instant::now();
    let store = Store::open(path.to_path_buf(), clock).await.unwrap();
    (store, start.elapsed())
}

/// Prints the bytes of each table: those of its rows, and those of its pages.
fn tables(path: &Path, payments: usize) {
    let db = Database::open(path).unwrap();
    let tx = db.begin_read().unwrap();
    let mut rows: Vec<_> = tx
        .list_tables()
        .unwrap()
        .map(|table| {
            let name = table.name().to_owned();
            let table = tx.open_untyped_table(table).unwrap();
            let stats = table.stats().unwrap();
            let pages = stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
            (pages, stats.stored_bytes(), table.len().unwrap(), name)
        })
        .collect();
    rows.sort_by(|one, other| other.cmp(one));
    println!("{:<24}{:>10}{:>16}{:>16}", "table", "rows", "bytes/payment", "pages/payment");
    let per = |bytes: u64| bytes as f64 / payments as f64;
    let (all_stored, all_pages) =
        rows.iter().fold((0, 0), |(stored, pages), row| (stored + row.1, pages + row.0));
    for (pages, stored, count, name) in rows.into_iter().take(16).filter(|row| row.0 > 0) {
        println!("{name:<24}{count:>10}{:>16.0}{:>16.0}", per(stored), per(pages));
    }
    println!("{:<24}{:>10}{:>16.0}{:>16.0}", "all", "", per(all_stored), per(all_pages));
}

async fn verbs(store: &Store) {
    let (wallet, caller) = (wallet(store).await, Caller { agent: "bench".to_owned() });
    let timed = async |name: &str, rounds: usize, query: &HistoryQuery| {
        let mut times = Vec::new();
        let mut next = None;
        for _ in 0..rounds {
            let start = Instant::now();
            let page = wallet.reports().history(&caller, query.clone()).await.unwrap();
            times.push(start.elapsed());
            assert!(page.totals.count > 0);
            next = page.next;
        }
        line(name, median(times));
        next
    };
    let mut times = Vec::new();
    for _ in 0..21 {
        let start = Instant::now();
        wallet.reports().balance(&caller).await.unwrap();
        times.push(start.elapsed());
    }
    line("get_balance", median(times));
    let first = HistoryQuery {
        since: None,
        until: None,
        kind: None,
        direction: None,
        grouping: None,
        limit: 20,
        cursor: None,
    };
    let cursor = timed("list_history, the first page", 5, &first).await;
    timed("list_history, the next page", 5, &HistoryQuery { cursor, ..first }).await;
    // The first round schedules everything for later, so the rounds after it are idle.
    wallet.recovery().settle().await.unwrap();
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        wallet.recovery().settle().await.unwrap();
        times.push(start.elapsed());
    }
    line("settle, nothing is due", median(times));
    let start = Instant::now();
    wallet.recovery().finish_startup().await.unwrap();
    line("recover", start.elapsed());
    wallet.close(Duration::from_secs(5)).await;
}

/// Prints the figures of a wallet with this many payments.
pub(super) async fn run(payments: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.redb");
    {
        // A file in memory is made faster.
        let memory = Path::new("/dev/shm");
        let quick = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let made = quick.path().join("wallet.redb");
        let start = Instant::now();
        fill::fill(&made, payments).await;
        println!("made in {:.0} s", start.elapsed().as_secs_f64());
        fs::copy(&made, &path).unwrap();
    }
    let size = fs::metadata(&path).unwrap().len();
    println!("{:<44}{:>12.0} bytes", "file, a payment", size as f64 / payments as f64);
    tables(&path, payments);

    let (store, took) = opened(&path).await;
    line("open, a copy is due", took);
    drop(store);
    let mut times = Vec::new();
    for _ in 0..3 {
        let (store, took) = opened(&path).await;
        times.push(took);
        drop(store);
    }
    line("open after a clean end", median(times));

    let store = opened(&path).await.0;
    fill::one_more(&store).await;
    let mut times = Vec::new();
    for _ in 0..3 {
        let (killed, took) = opened(&killed(&path, folder.path())).await;
        times.push(took);
        drop(killed);
    }
    line("open after a kill", median(times));
    verbs(&store).await;
}
