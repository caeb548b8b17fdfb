//! A wallet's file that is damaged, gone, or older than what the mints know.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng;
use serde_json::json;
use sha2::{Digest, Sha256};
use testbed::harness::{Client, Outcome};
use testbed::must;

use crate::files::find_store;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// A page of the store.
const PAGE: usize = 4096;

/// F-063: a clear refusal or all of the money; no panic, no empty wallet, and the damaged file is
/// kept.
pub(crate) async fn damaged(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(700).await?;
    wallet.ok("pay", json!({"to": scene.invoice(20)?.0})).await?;
    let before = wallet.holds().await?;
    wallet.close().await?;
    let kept = keep(wallet.home.path())?;
    let store = find_store(wallet.home.path())?;
    let whole = fs::read(&store)?;
    let mut chance = run.chance();
    let mut wrecks: Vec<(String, Vec<u8>)> =
        vec![("empty".to_owned(), Vec::new()), ("garbage".to_owned(), vec![b'x'; whole.len()])];
    let pages = whole.len() / PAGE;
    for page in (0..pages).step_by(run.pick(1, pages / 20 + 1)) {
        wrecks.push((
            format!("cut to {page} pages"),
            whole.iter().take(page * PAGE).copied().collect(),
        ));
    }
    for _ in 0..run.pick(50, 15) {
        let page = chance.random_range(0..pages);
        let mut flipped = whole.clone();
        flipped.iter_mut().skip(page * PAGE).take(PAGE).for_each(|byte| *byte = !*byte);
        wrecks.push((format!("page {page} flipped"), flipped));
    }
    let (mut refused, count) = (0, wrecks.len());
    for (what, wreck) in wrecks {
        fs::write(&store, &wreck)?;
        let told = spendable_or_code(&wallet).await?;
        wallet.kill().await?;
        let is_all = told == Ok(before.spendable);
        let is_clear = matches!(
            told.as_ref().map_err(String::as_str),
            Err("wallet_damaged" | "storage_failed")
        );
        must!(is_all || is_clear, "{what}: {told:?}, of {}", before.spendable);
        must!(is_all || is_kept(wallet.home.path(), &wreck)?, "{what}: the damaged file is gone");
        refused += usize::from(is_clear);
        let log = fs::read_to_string(wallet.log_path())?;
        must!(!log.contains("panicked"), "{what}: {}", wallet.last_words());
        put_back(wallet.home.path(), &kept)?;
    }
    scene.conserved().await?;
    Ok(Proof::of(count)
        .saying(format!("{refused} clear refusals, the others with all of the money")))
}

/// F-064: without its file, and without its file and all copies, while its keys are there.
pub(crate) async fn deleted(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(700).await?;
    wallet.restart().await?;
    wallet.close().await?;
    let kept = keep(wallet.home.path())?;
    let store = find_store(wallet.home.path())?;
    for all in [false, true] {
        for (name, _) in &kept {
            let is_store = name == &store || (all && name.to_string_lossy().contains("redb"));
            if is_store {
                fs::remove_file(name)?;
            }
        }
        let told = spendable_or_code(&wallet).await?;
        wallet.kill().await?;
        let is_clear = matches!(
            told.as_ref().map_err(String::as_str),
            Err("wallet_damaged" | "storage_failed")
        );
        must!(is_clear || told == Ok(700), "copies gone {all}: {told:?}");
        put_back(wallet.home.path(), &kept)?;
    }
    scene.conserved().await?;
    Ok(Proof::of(2))
}

/// F-065: yesterday's file, after coins were spent and taken in: never more shown than the mint
/// accepts, and all of it in the end.
pub(crate) async fn rolled_back(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let (wallet, friend) = (scene.funded(700).await?, scene.funded(300).await?);
    wallet.close().await?;
    let store = find_store(wallet.home.path())?;
    let yesterday = fs::read(&store)?;
    for sats in [30, 40] {
        wallet.ok("pay", json!({"to": scene.invoice(sats)?.0})).await?;
    }
    let sent = friend.ok("send_token", json!({"amount_sats": 50})).await?;
    wallet.ok("receive_token", json!({"token": sent.text("token")})).await?;
    wallet.fund(64).await?;
    let today = scene.conserved().await?;
    wallet.close().await?;
    fs::write(&store, yesterday)?;
    wallet.pass(86_400)?;
    let told = wallet.told("pay", json!({"to": scene.invoice(600)?.0})).await?;
    must!(!told.is_error || told.text("money_moved") == "no", "paid from yesterday's file: {told}");
    let now = scene.conserved().await?;
    // After an older file the day's limit starts full.
    wallet.pass(86_400 + 3_600)?;
    for sats in [10, 20] {
        let told = wallet.ok("pay", json!({"to": scene.invoice(sats)?.0})).await?;
        must!(told.text("state") == "settled", "after it: {told}");
    }
    scene.conserved().await?;
    Ok(Proof::of(1).saying(format!("{} sats before, {} after", today.all(), now.all())))
}

/// What it shows as spendable, or why it does not.
async fn spendable_or_code(wallet: &Wallet) -> Outcome<Result<u64, String>> {
    let told = wallet.told("get_balance", json!({})).await?;
    Ok(if told.is_error {
        Err(told.text("error").to_owned())
    } else {
        Ok(told.sats("spendable_sats"))
    })
}

type Kept = Vec<(PathBuf, Vec<u8>)>;

fn keep(home: &Path) -> Outcome<Kept> {
    let mut kept = Kept::new();
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        if path.is_dir() {
            kept.extend(keep(&path)?)
        } else {
            kept.push((path.clone(), fs::read(path)?))
        }
    }
    Ok(kept)
}

/// The files as they were; what came since is gone.
fn put_back(home: &Path, kept: &Kept) -> Outcome {
    for (path, _) in keep(home)? {
        if !kept.iter().any(|(name, _)| name == &path) {
            fs::remove_file(path)?;
        }
    }
    for (path, bytes) in kept {
        fs::write(path, bytes)?;
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(())
}

/// Whether some file below holds exactly this.
fn is_kept(home: &Path, bytes: &[u8]) -> Outcome<bool> {
    let wanted = Sha256::digest(bytes);
    Ok(keep(home)?.iter().any(|(_, held)| Sha256::digest(held) == wanted))
}
