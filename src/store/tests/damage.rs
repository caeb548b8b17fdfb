//! Damage of every kind, at every place: found when the file is opened, or without any effect.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cdk_common::nuts::State;
use redb::{Database, ReadableDatabase, ReadableTable, TableHandle};
use tempfile::TempDir;
use uuid::Uuid;

use super::super::tables::META;
use super::super::{Change, Store, StoreError};
use super::samples::{NOW, audit, clock, coins, payment, ys};

const PAGE: usize = 4096;

/// A wallet with this many coins in all states and some payments, closed.
async fn made(count: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.redb");
    let store = Store::open(path.clone(), clock).await.unwrap();
    let amounts: Vec<u64> = (0..count).map(|at| 1 << (at % 14)).collect();
    for part in amounts.chunks(1000) {
        let new = coins(part);
        let third = ys(&new[..part.len() / 3]);
        let change = |to, operation| Change::ProofState { ys: third.clone(), expect: None, to, operation };
        store
            .commit(vec![Change::Proofs { add: new }, change(State::Pending, Some(Uuid::new_v4())), change(State::Spent, None)])
            .await
            .unwrap();
    }
    for number in 0..40 {
        let hash = format!("{number:064x}");
        store.admit::<()>(payment(number, Some(&hash), None, None), NOW, |_| Ok(())).await.unwrap();
    }
    drop(store);
    (folder, path)
}

/// All that can be seen of a wallet; the audit checks that it agrees with itself.
async fn seen(path: &Path) -> Result<String, StoreError> {
    let store = Store::open(path.to_path_buf(), clock).await?;
    audit(&store).await;
    let balances = store.balances().await?;
    let payments: BTreeMap<_, _> = store.open_payments().await?.into_iter().map(|one| (one.id.to_string(), one.amount_sats)).collect();
    let ledger = store.ledger(None, NOW).await?;
    Ok(format!("{:?} {balances:?} {payments:?} {}", store.meta().await?.wallet_id, ledger.used_sats()))
}

/// What comes of a wallet file with this content: damage is an error of that kind, and the file stays as it is.
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
    let (_folder, path) = made(600).await;
    let bytes = fs::read(&path).unwrap();
    let whole = seen(&path).await.unwrap();
    let bytes_after = fs::read(&path).unwrap();
    let pages = bytes.len() / PAGE;
    let (mut found, mut harmless) = (0, 0);
    for place in 0..50 {
        let at = place * pages / 50 * PAGE;
        for rubbish in [false, true] {
            let mut bad = bytes_after.clone();
            let range = at..bad.len().min(at + PAGE);
            bad[range].iter_mut().enumerate().for_each(|(at, byte)| *byte = if rubbish { (at * 167 + 13) as u8 } else { !*byte });
            if is_damaged(&path, &bad, &whole, &format!("page {}, rubbish {rubbish}", at / PAGE)).await {
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
    let (_folder, path) = made(60).await;
    let whole = seen(&path).await.unwrap();
    let bytes = fs::read(&path).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for page in 0..bytes.len() / PAGE {
        for at in [80, 700, 2000, 4000] {
            let mut bad = bytes.clone();
            bad[page * PAGE + at] ^= 0x10;
            if is_damaged(&path, &bad, &whole, &format!("byte {at} of page {page}")).await { found += 1 } else { harmless += 1 }
        }
    }
    println!("{} single bytes: {found} found, {harmless} harmless", found + harmless);
    assert!(found > 20);
}

#[tokio::test]
async fn a_file_cut_at_any_page_is_found() {
    let (_folder, path) = made(60).await;
    let whole = seen(&path).await.unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(PAGE) {
        assert!(is_damaged(&path, &bytes[..length], &whole, &format!("{length} bytes")).await, "{length} bytes of {}", bytes.len());
    }
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_said_so() {
    let (_folder, path) = made(1).await;
    let db = Database::open(&path).unwrap();
    let tx = db.begin_write().unwrap();
    let row = tx.open_table(META).unwrap().get("meta").unwrap().unwrap().value().to_vec();
    let newer = [&[2], &row[1..]].concat();
    tx.open_table(META).unwrap().insert("meta", newer.as_slice()).unwrap();
    tx.commit().unwrap();
    assert_eq!(db.begin_read().unwrap().list_tables().unwrap().filter(|table| table.name() == "meta").count(), 1);
    drop(db);
    assert!(matches!(Store::open(path, clock).await, Err(StoreError::UnknownVersion { version: 2, .. })));
}

#[tokio::test]
async fn ten_thousand_coins_are_checked_in_little_time() {
    let (_folder, path) = made(10_000).await;
    let length = fs::metadata(&path).unwrap().len();
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        drop(Store::open(path.clone(), clock).await.unwrap());
        times.push(begun.elapsed().as_millis());
    }
    println!("{length} bytes; opened in {times:?} ms, with a copy the first time");
    // Half a second is for a debug build on a busy machine; the benchmark says what it is.
    assert!(times.iter().skip(1).min().is_some_and(|least| *least < 500), "{times:?} ms");
}
