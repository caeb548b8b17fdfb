//! Damage of every kind, in every place: it is found when the file is opened, or has no effect.
//!
//! The content of a file is drawn from a seed, which is printed: `NUTPURSE_SEED` repeats one,
//! `NUTPURSE_RUNS` asks for more.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cdk_common::nuts::{CurrencyUnit, Proof, SecretKey, State};
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redb::{Database, ReadableDatabase, ReadableTable, TableHandle};
use tempfile::TempDir;
use uuid::Uuid;

use super::super::tables::META;
use super::super::{Change, OperationRow, Store, StoreError};
use super::samples::{NOW, audit, clock, coin, counters, mint, payment, ys};
use crate::model::payment::Payment;

const PAGE: usize = 4096;

fn number(name: &str) -> Option<u64> {
    env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Returns the seeds to try: as many as requested, and none that was tried before.
fn seeds() -> Vec<u64> {
    let first = number("NUTPURSE_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    (first..)
        .take(number("NUTPURSE_RUNS").map_or(1, |runs| usize::try_from(runs).unwrap()))
        .collect()
}

/// Creates proofs whose secrets, and so their places in the file, come from the seed.
fn drawn(random: &mut StdRng, amounts: &[u64]) -> Vec<ProofInfo> {
    let one = |amount: &u64| {
        let (secret, key) = (random.random::<[u8; 32]>(), random.random::<[u8; 32]>());
        let hex = hex::encode(secret);
        let c = SecretKey::from_slice(&key).unwrap().public_key();
        let proof = Proof { secret: Secret::new(hex), c, ..coin(*amount).proof };
        ProofInfo::new(proof, mint(), State::Unspent, CurrencyUnit::Sat).unwrap()
    };
    amounts.iter().map(one).collect()
}

/// Creates a wallet with this many proofs in all states and some payments, and closes it.
async fn made(count: usize, seed: u64) -> (TempDir, PathBuf) {
    println!("NUTPURSE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.redb");
    let id = format!("{:032x}", random.random::<u128>());
    let store = Store::create(path.clone(), clock, |meta| meta.wallet_id = id).await.unwrap();
    let amounts: Vec<u64> = (0..count).map(|at| 1 << (at % 14)).collect();
    for part in amounts.chunks(1000) {
        let new = drawn(&mut random, part);
        let third = ys(&new[..part.len() / 3]);
        let operation = Uuid::from_u128(random.random());
        let change =
            |to, operation| Change::ProofState { ys: third.clone(), expect: None, to, operation };
        store
            .commit(vec![
                Change::Proofs { add: new },
                change(State::Pending, Some(operation)),
                change(State::Spent, None),
            ])
            .await
            .unwrap();
        let row = OperationRow {
            id: operation,
            holds: true,
            body: random.random::<[u8; 32]>().to_vec(),
            subject: None,
        };
        let (used, free) =
            (Change::UseCounters(counters(&[0, 1, 2])), Change::FreeCounters(counters(&[1])));
        store.commit(vec![Change::Operation(row), used, free]).await.unwrap();
    }
    for number in 0..40 {
        let hash = format!("{number:064x}");
        let id = format!(
            "pay_{}",
            (0..20).map(|_| char::from(b'a' + random.random_range(0..8))).collect::<String>()
        );
        let payment =
            Payment { id: id.parse().unwrap(), ..payment(number, Some(&hash), None, None) };
        store.admit::<()>(payment, NOW, Vec::new(), |_| Ok(())).await.unwrap();
    }
    // The file as a kill leaves it: the commit before the last holds another wallet, and the file
    // is marked as not closed.
    fs::copy(&path, folder.path().join("killed.redb")).unwrap();
    drop(store);
    (folder, path)
}

/// Returns everything that can be read from a wallet; the audit checks that it is consistent.
async fn seen(path: &Path) -> Result<String, StoreError> {
    let store = Store::open(path.to_path_buf(), clock).await?;
    audit(&store).await;
    let balances = store.balances().await?;
    let payments: BTreeMap<_, _> = store
        .open_payments()
        .await?
        .into_iter()
        .map(|one| (one.id.to_string(), one.amount_sats))
        .collect();
    let operations: Vec<_> =
        store.operations().await?.into_iter().map(|row| (row.id, row.holds, row.body)).collect();
    let ledger = store.ledger("agent", None, NOW).await?;
    Ok(format!(
        "{:?} {balances:?} {payments:?} {operations:?} {}",
        store.meta().await?.wallet_id,
        ledger.all.used_sats()
    ))
}

/// Opens a wallet file with these bytes: damage must be an error of that kind, and the file must
/// stay unchanged.
async fn is_damaged(path: &Path, bytes: &[u8], whole: &str, what: &str) -> bool {
    fs::write(path, bytes).unwrap();
    match seen(path).await {
        Ok(same) => {
            assert_eq!(same, whole, "{what}: another wallet");
            false
        }
        Err(error) => {
            assert!(error.is_damage(), "{what}: {error:?}");
            assert_eq!(fs::read(path).unwrap(), bytes, "{what}: the damaged file was changed");
            true
        }
    }
}

#[tokio::test]
async fn four_kibibytes_turned_over_or_overwritten_anywhere_are_found_or_harmless() {
    for seed in seeds() {
        four_kibibytes(seed).await;
    }
}

async fn four_kibibytes(seed: u64) {
    let (folder, path) = made(600, seed).await;
    four_kibibytes_of(&folder.path().join("killed.redb")).await;
    // The file as an opening leaves it, which may shorten it.
    seen(&path).await.unwrap();
    four_kibibytes_of(&path).await;
}

async fn four_kibibytes_of(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let whole = seen(path).await.unwrap();
    let pages = bytes.len() / PAGE;
    let (mut found, mut harmless) = (0, 0);
    for place in 0..50 {
        let at = place * pages / 50 * PAGE;
        for rubbish in [false, true] {
            let mut bad = bytes.clone();
            let range = at..bad.len().min(at + PAGE);
            bad[range].iter_mut().enumerate().for_each(|(at, byte)| {
                *byte = if rubbish { (at * 167 + 13) as u8 } else { !*byte }
            });
            if is_damaged(path, &bad, &whole, &format!("page {}, rubbish {rubbish}", at / PAGE))
                .await
            {
                found += 1
            } else {
                harmless += 1
            }
        }
    }
    println!("{pages} pages; 100 pages damaged: {found} found, {harmless} harmless");
    assert!(found > 10);
}

#[tokio::test]
async fn one_byte_turned_over_in_any_page_is_found_or_harmless() {
    for seed in seeds() {
        one_byte(seed).await;
    }
}

async fn one_byte(seed: u64) {
    let (folder, path) = made(60, seed).await;
    one_byte_of(&folder.path().join("killed.redb")).await;
    seen(&path).await.unwrap();
    one_byte_of(&path).await;
}

async fn one_byte_of(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let whole = seen(path).await.unwrap();
    let (mut found, mut harmless) = (0, 0);
    for page in 0..bytes.len() / PAGE {
        for at in [80, 700, 2000, 4000] {
            let mut bad = bytes.clone();
            bad[page * PAGE + at] ^= 0x10;
            if is_damaged(path, &bad, &whole, &format!("byte {at} of page {page}")).await {
                found += 1
            } else {
                harmless += 1
            }
        }
    }
    println!("{} single bytes: {found} found, {harmless} harmless", found + harmless);
    assert!(found > 20);
}

#[tokio::test]
async fn any_bit_of_the_header_turned_over_is_found_or_harmless() {
    let (_folder, path) = made(60, 1).await;
    any_bit(&path).await;
}

#[tokio::test]
async fn any_bit_of_the_header_turned_over_after_a_kill_is_found_or_harmless() {
    let (folder, _) = made(60, 1).await;
    any_bit(&folder.path().join("killed.redb")).await;
}

/// Flips bits of the header, 320 bytes that locate everything: its flags and sizes have no
/// checksum, its two commits have one.
async fn any_bit(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let whole = seen(path).await.unwrap();
    let (mut found, mut harmless) = (0, 0);
    for at in 0..320 {
        // All eight bits of a byte without a checksum, one bit of the others.
        for bit in if at < 64 { 0..8 } else { at % 8..at % 8 + 1 } {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            if is_damaged(path, &bad, &whole, &format!("bit {bit} of byte {at}")).await {
                found += 1
            } else {
                harmless += 1
            }
        }
    }
    println!("{} bits of the header: {found} found, {harmless} harmless", found + harmless);
    assert!(found > 100);
}

#[tokio::test]
async fn a_file_cut_at_any_page_is_found() {
    let (_folder, path) = made(60, 1).await;
    let whole = seen(&path).await.unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(PAGE) {
        assert!(
            is_damaged(&path, &bytes[..length], &whole, &format!("{length} bytes")).await,
            "{length} bytes of {}",
            bytes.len()
        );
    }
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_said_so() {
    let (_folder, path) = made(1, 1).await;
    let db = Database::open(&path).unwrap();
    let tx = db.begin_write().unwrap();
    let row = tx.open_table(META).unwrap().get("meta").unwrap().unwrap().value().to_vec();
    let newer = [&[3], &row[1..]].concat();
    tx.open_table(META).unwrap().insert("meta", newer.as_slice()).unwrap();
    tx.commit().unwrap();
    assert_eq!(
        db.begin_read()
            .unwrap()
            .list_tables()
            .unwrap()
            .filter(|table| table.name() == "meta")
            .count(),
        1
    );
    drop(db);
    assert!(matches!(
        Store::open(path, clock).await,
        Err(StoreError::UnknownVersion { version: 3, .. })
    ));
}

#[tokio::test]
async fn ten_thousand_coins_are_checked_in_little_time() {
    let (_folder, path) = made(10_000, 1).await;
    let length = fs::metadata(&path).unwrap().len();
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        drop(Store::open(path.clone(), clock).await.unwrap());
        times.push(begun.elapsed().as_millis());
    }
    println!("{length} bytes; opened in {times:?} ms, with a copy the first time");
    // Half a second allows for a debug build on a busy machine; the benchmark measures the time.
    assert!(times.iter().skip(1).min().is_some_and(|least| *least < 500), "{times:?} ms");
}
