//! The file: private to its owner, opened once, and refused without a panic when damaged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableTable, TableDefinition};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::super::tables::META;
use super::super::{Store, StoreError};
use super::disk::Disk;
use super::samples::{NOW, clock, payment};

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.redb");
    (folder, path)
}

/// Creates a wallet file with some content, and closes it.
async fn made() -> (TempDir, PathBuf) {
    let (folder, path) = place();
    let store = Store::open(path.clone(), clock).await.unwrap();
    for number in 0..40 {
        let hash = format!("{number:064x}");
        store
            .admit::<()>(payment(number, Some(&hash), None, None), NOW, Vec::new(), |_| Ok(()))
            .await
            .unwrap();
    }
    drop(store);
    (folder, path)
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = made().await;
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(path.clone(), clock).await.unwrap();
    store.make_due_copy().await.unwrap();
    drop(store);
    assert_eq!(mode(&path), 0o600);
    let left: BTreeSet<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(
        left,
        BTreeSet::from(["wallet.redb".into(), "wallet.redb.copy-1".into()]),
        "nothing but a copy is left beside it"
    );
}

#[tokio::test]
async fn a_second_handle_is_refused_and_a_later_one_finds_everything() {
    let (_folder, path) = made().await;
    let store = Store::open(path.clone(), clock).await.unwrap();
    assert!(matches!(Store::open(path.clone(), clock).await, Err(StoreError::AlreadyOpen)));
    assert_eq!(store.open_payments().await.unwrap().len(), 40);
}

#[tokio::test]
async fn of_two_that_make_the_file_at_once_one_wins() {
    let (_folder, path) = place();
    let (one, other) =
        tokio::join!(Store::open(path.clone(), clock), Store::open(path.clone(), clock));
    let won = usize::from(one.is_ok()) + usize::from(other.is_ok());
    assert_eq!(won, 1);
    for lost in [one, other].into_iter().filter_map(Result::err) {
        assert!(matches!(lost, StoreError::AlreadyOpen), "{lost}");
    }
}

#[tokio::test]
async fn an_empty_a_foreign_and_a_short_file_are_damaged_and_stay_as_they_are() {
    let (_folder, path) = place();
    for content in [
        &b""[..],
        b"redb",
        b"SQLite format 3\0 and more than nine bytes",
        b"redb\x1A\x0A\xA9\x0D\x0A",
    ] {
        fs::write(&path, content).unwrap();
        let opened = Store::open(path.clone(), clock).await;
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "{opened:?}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_redb_file_of_another_program_is_foreign() {
    let (_folder, path) = place();
    let db = Database::create(&path).unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table(TableDefinition::<&str, &str>::new("proofs_table")).unwrap();
    tx.commit().unwrap();
    drop(db);
    assert!(matches!(Store::open(path, clock).await, Err(StoreError::Damaged(_))));
}

/// Changes the metadata of a closed file.
fn rewrite_meta(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
    let db = Database::open(path).unwrap();
    let tx = db.begin_write().unwrap();
    let row = tx.open_table(META).unwrap().get("meta").unwrap().unwrap().value().to_vec();
    let mut meta: Map<String, Value> = serde_json::from_slice(&row[1..]).unwrap();
    change(&mut meta);
    let mut changed = row[..1].to_vec();
    changed.extend(serde_json::to_vec(&meta).unwrap());
    tx.open_table(META).unwrap().insert("meta", changed.as_slice()).unwrap();
    tx.commit().unwrap();
}

#[tokio::test]
async fn a_file_of_a_version_that_was_never_released_is_refused_and_stays_as_it_is() {
    for version in [1, 2, 3] {
        let (folder, path) = made().await;
        rewrite_meta(&path, |meta| match version {
            // A file of version 1 did not state its version.
            1 => assert_eq!(meta.remove("format"), Some(json!(4))),
            version => drop(meta.insert("format".to_owned(), json!(version))),
        });
        let bytes = fs::read(&path).unwrap();
        for _ in 0..2 {
            let opened = Store::open(path.clone(), clock).await;
            assert!(
                matches!(opened, Err(StoreError::OldFile(old)) if old == version),
                "{opened:?}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no copy is made of it");
        assert!(
            matches!(Store::with_backend(Disk::of(bytes), clock).await, Err(StoreError::OldFile(old)) if old == version)
        );
    }
}

#[tokio::test]
async fn a_file_of_a_later_version_is_refused_and_stays_as_it_is() {
    let (_folder, path) = made().await;
    rewrite_meta(&path, |meta| drop(meta.insert("format".to_owned(), json!(5))));
    let bytes = fs::read(&path).unwrap();
    assert!(matches!(
        Store::open(path.clone(), clock).await,
        Err(StoreError::UnknownVersion { version: 5, .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

/// Opens and reads a file: whatever is wrong with it, the result is an answer or an error.
async fn survives(path: PathBuf) -> Result<usize, StoreError> {
    let store = Store::open(path, clock).await?;
    store.meta().await?;
    store.balances().await?;
    store.ledger("agent", None, NOW).await?;
    Ok(store.open_payments().await?.len())
}

#[tokio::test]
async fn a_truncated_file_is_damaged() {
    let (_folder, path) = made().await;
    let whole = fs::read(&path).unwrap();
    for part in [10, 512, 4096, 8192, whole.len() / 2, whole.len() - 4096] {
        fs::write(&path, &whole[..part]).unwrap();
        let opened = survives(path.clone()).await;
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "{part} bytes: {opened:?}");
    }
}

#[tokio::test]
async fn a_page_of_rubbish_anywhere_is_an_error_or_harmless() {
    let (_folder, path) = made().await;
    let whole = fs::read(&path).unwrap();
    let mut damaged = 0;
    for page in 0..whole.len().div_ceil(4096).min(64) {
        let mut bytes = whole.clone();
        let end = bytes.len().min((page + 1) * 4096);
        bytes[page * 4096..end].fill(0xA5);
        fs::write(&path, &bytes).unwrap();
        match survives(path.clone()).await {
            Ok(open) => assert_eq!(open, 40, "page {page}"),
            Err(_) => damaged += 1,
        }
    }
    assert!(damaged > 0);
}
