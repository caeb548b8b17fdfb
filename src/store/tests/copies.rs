//! Copies: three, verified, by rename alone, and never of a damaged file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tokio::sync::Mutex;

use super::super::copies::{newest, put_back, set_aside, verify};
use super::super::{Change, Store};
use super::samples::{NOW, audit, coins};

/// The wallet's clock, shared by the tests of this file, which use it one at a time.
static TIME: AtomicU64 = AtomicU64::new(NOW);
static TURN: Mutex<()> = Mutex::const_new(());

fn clock() -> u64 {
    TIME.load(Ordering::SeqCst)
}

fn an_hour_passes() {
    TIME.fetch_add(3_600, Ordering::SeqCst);
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.redb");
    (folder, path)
}

/// Opens the wallet and makes the copy that is due.
async fn open(path: &Path, known: Option<(String, u64)>) -> Store {
    let store = Store::open_known(path.to_path_buf(), clock, known).await.unwrap();
    store.make_due_copy().await.unwrap();
    store
}

/// Opens the wallet, adds one proof, and closes it. Each opening is one generation.
async fn use_once(path: &Path) {
    let store = open(path, None).await;
    store.begin_session(None).await.unwrap();
    store.commit(vec![Change::Proofs { add: coins(&[1]) }]).await.unwrap();
}

/// Returns the files next to the wallet, with the generation that each contains.
fn copies(path: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let at = entry.unwrap().path();
        let name = at.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(end) = name.strip_prefix("wallet.redb.") {
            found.insert(end.to_owned(), verify(&at).map_or(0, |copy| copy.meta.generation));
        }
    }
    found
}

/// A state of the folder: its name, the renames made, and whether the draft is incomplete.
type State = (&'static str, &'static [(&'static str, &'static str)], bool);

fn named(generations: &[(&str, u64)]) -> BTreeMap<String, u64> {
    generations.iter().map(|(name, generation)| ((*name).to_owned(), *generation)).collect()
}

#[tokio::test]
async fn the_last_three_hours_of_change_are_kept() {
    let _turn = TURN.lock().await;
    let (_folder, path) = place();
    drop(open(&path, None).await);
    drop(open(&path, None).await);
    assert_eq!(copies(&path), named(&[]), "nothing is in it yet");
    use_once(&path).await;
    use_once(&path).await;
    assert_eq!(copies(&path), named(&[("copy-1", 1)]));
    for _ in 0..4 {
        an_hour_passes();
        use_once(&path).await;
    }
    assert_eq!(copies(&path), named(&[("copy-1", 5), ("copy-2", 4), ("copy-3", 3)]));
    an_hour_passes();
    drop(open(&path, None).await);
    let kept = copies(&path);
    an_hour_passes();
    drop(open(&path, None).await);
    assert_eq!(copies(&path), kept, "nothing has changed");
    #[cfg(unix)]
    for number in 1..=3 {
        use std::os::unix::fs::PermissionsExt as _;
        let at = path.with_file_name(format!("wallet.redb.copy-{number}"));
        assert_eq!(fs::metadata(at).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_kill_between_any_two_steps_of_copying_leaves_two_good_copies_and_the_next_one_mends_it()
{
    let _turn = TURN.lock().await;
    let all = ["copy-1", "copy-2", "copy-3"];
    // The states after each rename, after an incomplete draft, and after a complete one.
    let states: [State; 5] = [
        ("the draft is half", &[], true),
        ("the draft is whole", &[], false),
        ("the second was moved", &[("copy-2", "copy-3")], false),
        ("the first was moved", &[("copy-2", "copy-3"), ("copy-1", "copy-2")], false),
        (
            "the draft was named",
            &[("copy-2", "copy-3"), ("copy-1", "copy-2"), ("copy-new", "copy-1")],
            false,
        ),
    ];
    for (what, renames, half) in states {
        let (_folder, path) = place();
        for _ in 0..5 {
            use_once(&path).await;
            an_hour_passes();
        }
        assert_eq!(copies(&path).keys().collect::<Vec<_>>(), all);
        let at = |end: &str| path.with_file_name(format!("wallet.redb.{end}"));
        let content = fs::read(&path).unwrap();
        fs::write(at("copy-new"), if half { &content[..content.len() / 2] } else { &content[..] })
            .unwrap();
        for (from, to) in renames {
            fs::rename(at(from), at(to)).unwrap();
        }
        let left = copies(&path);
        let good = all
            .iter()
            .filter(|name| left.get(**name).is_some_and(|generation| *generation > 0))
            .count();
        assert!(good >= 2, "{what}: {left:?}");
        assert!(
            newest(&path, None).unwrap().is_some_and(|copy| copy.meta.generation >= 4),
            "{what}: {left:?}"
        );
        use_once(&path).await;
        an_hour_passes();
        use_once(&path).await;
        let mended = copies(&path);
        assert_eq!(mended.keys().collect::<Vec<_>>(), all, "{what}");
        assert!(
            mended["copy-1"] > mended["copy-2"] && mended["copy-2"] >= mended["copy-3"],
            "{what}: {mended:?}"
        );
    }
}

#[tokio::test]
async fn a_damaged_file_is_never_copied_and_the_newest_good_copy_is_put_back() {
    let _turn = TURN.lock().await;
    let (folder, path) = place();
    for _ in 0..4 {
        use_once(&path).await;
        an_hour_passes();
    }
    let before = copies(&path);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() / 2;
    bytes[4096..end].fill(0x5A);
    fs::write(&path, &bytes).unwrap();
    assert!(Store::open(path.clone(), clock).await.is_err_and(|error| error.is_damage()));
    assert_eq!(copies(&path), before);
    // The newest copy is damaged too: the one before it is now the newest valid copy.
    fs::write(path.with_file_name("wallet.redb.copy-1"), &bytes).unwrap();
    let copy = newest(&path, None).unwrap().unwrap();
    assert!(copy.path.ends_with("wallet.redb.copy-2"));
    assert!(newest(&path, Some("another")).unwrap().is_none());
    assert!(put_back(&copy, &path).is_err(), "nothing is overwritten");
    let aside = set_aside(&path, 7).unwrap().unwrap();
    put_back(&copy, &path).unwrap();
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    assert_eq!(fs::read(&path).unwrap(), fs::read(&copy.path).unwrap());
    let again = set_aside(&path, 7).unwrap().unwrap();
    assert!(
        again != aside && aside.exists() && folder.path().join("wallet.redb.damaged-7-2").exists()
    );
    assert!(set_aside(&path, 8).unwrap().is_none());
}

#[tokio::test]
async fn an_older_file_and_another_wallets_file_are_not_copied() {
    let _turn = TURN.lock().await;
    let (_folder, path) = place();
    for _ in 0..3 {
        use_once(&path).await;
        an_hour_passes();
    }
    let id = verify(&path).unwrap().meta.wallet_id;
    let before = copies(&path);
    drop(open(&path, Some((id.clone(), 9))).await);
    assert!(
        Store::open_known(path.clone(), clock, Some(("another".to_owned(), 0)))
            .await
            .is_err_and(|error| error.is_damage())
    );
    assert_eq!(copies(&path), before);
    drop(open(&path, Some((id, 3))).await);
    assert_ne!(copies(&path), before);
}

#[tokio::test]
async fn an_opening_waits_for_no_copy_and_the_copy_is_of_the_wallet_as_it_was_opened() {
    let _turn = TURN.lock().await;
    let (_folder, path) = place();
    use_once(&path).await;
    let store = Store::open(path.clone(), clock).await.unwrap();
    assert_eq!(copies(&path), named(&[]), "the copy is due, and the wallet is open without it");
    store.begin_session(None).await.unwrap();
    store.commit(vec![Change::Proofs { add: coins(&[64]) }]).await.unwrap();
    store.make_due_copy().await.unwrap();
    assert_eq!(copies(&path), named(&[("copy-1", 1)]), "nothing that was written since is in it");
    store.make_due_copy().await.unwrap();
    assert_eq!((copies(&path).len(), store.balances().await.unwrap()[0].unspent), (1, 65));
    drop(store);

    // The restored copy is the wallet as it was.
    set_aside(&path, 7).unwrap();
    put_back(&newest(&path, None).unwrap().unwrap(), &path).unwrap();
    let store = Store::open(path.clone(), clock).await.unwrap();
    assert_eq!(store.balances().await.unwrap()[0].unspent, 1);
    audit(&store).await;
}

#[tokio::test]
async fn a_copy_that_is_not_made_before_the_end_is_due_at_the_next_opening() {
    let _turn = TURN.lock().await;
    let (_folder, path) = place();
    use_once(&path).await;
    let store = Store::open(path.clone(), clock).await.unwrap();
    store.close().await;
    store.make_due_copy().await.unwrap();
    assert_eq!(copies(&path), named(&[]));
    drop(store);
    drop(open(&path, None).await);
    assert_eq!(copies(&path), named(&[("copy-1", 1)]));
}
