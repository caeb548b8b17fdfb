//! Folders and files that are read-only, another's, or open to all; and a wallet with very many
//! coins.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use serde_json::json;
use testbed::harness::{Client, Limits, Outcome, Session};
use testbed::must;
use tokio::process::Command;
use tokio::time::Duration;

use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// A user who is nobody.
const NOBODY: u32 = 65_534;

/// F-062. What a superuser may write anyway is given to somebody else instead.
pub(crate) async fn read_only(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.funded(500).await?;
    wallet.close().await?;
    let home = wallet.home.path();
    let is_root = fs::metadata(home)?.uid() == 0;
    let store = find_store(home)?;
    let mut fired = 0;
    for path in [home, store.as_path()] {
        let mode = fs::metadata(path)?.permissions();
        if is_root {
            chown(path, Some(NOBODY), None)?
        } else {
            fs::set_permissions(path, Permissions::from_mode(0o500))?
        }
        let told = told_of_spending(&scene, &wallet).await;
        if is_root {
            chown(path, Some(0), None)?
        } else {
            fs::set_permissions(path, mode)?
        }
        let told = told?;
        must!(told != "settled" || (is_root && path != home), "{}: paid", path.display());
        fired += 1;
        wallet.kill().await?;
        scene.conserved().await?;
        wallet.close().await?;
    }
    Ok(Proof::of(fired))
}

async fn told_of_spending(scene: &Scene, wallet: &Wallet) -> Outcome<String> {
    let (invoice, _) = scene.invoice(9)?;
    match wallet.session().await {
        Ok(_) => Ok(wallet
            .call("pay", json!({"to": invoice}))
            .await?
            .map_or_else(|| "ended".to_owned(), |told| told.word().to_owned())),
        // It may end at once, with a word on standard error.
        Err(_) => {
            must!(!wallet.last_words().is_empty(), "it ended without a word");
            Ok("ended".to_owned())
        }
    }
}

/// The one file of the store.
pub(crate) fn find_store(home: &Path) -> Outcome<std::path::PathBuf> {
    let found = fs::read_dir(home)?.filter_map(Result::ok).map(|entry| entry.path());
    Ok(found
        .filter(|path| path.extension().is_some_and(|kind| kind == "redb"))
        .min()
        .ok_or("no file of a store")?)
}

/// The same command, where every file that it makes is open to all unless it sees to that itself.
pub(crate) fn under_any_mask(plain: &Command) -> Command {
    let (plain, mut command) = (plain.as_std(), Command::new("/bin/sh"));
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(plain.get_program());
    command.args(plain.get_args()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// F-068.
pub(crate) async fn open_to_all(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let mut fired = 0;
    for mode in [0o700, 0o777] {
        let wallet = scene.wallet()?;
        fs::set_permissions(wallet.home.path(), Permissions::from_mode(mode))?;
        let command = under_any_mask(&wallet.command("tester"));
        let log = fs::File::create(wallet.log_path())?;
        let session = Session::start(command, log, &run.watch).await?;
        let told = session.call("deposit", json!({"amount_sats": 20})).await?.ok_or("it ended")?;
        if !told.is_error {
            session.call("get_deposit", json!({"wait_seconds": 30})).await?;
        }
        must!(!told.is_error || mode == 0o777, "{mode:o}: {told}");
        session.close().await?;
        let open = files_below(wallet.home.path())?.into_iter().find(|(_, mode)| mode & 0o077 != 0);
        let folder = fs::metadata(wallet.home.path())?.mode() & 0o077;
        must!(
            open.is_none() && (folder == 0 || told.is_error),
            "{mode:o}: {open:?}, the folder {folder:o}"
        );
        fs::set_permissions(wallet.home.path(), Permissions::from_mode(0o700))?;
        fired += 1;
    }
    scene.conserved().await?;
    Ok(Proof::of(fired))
}

/// Every file and folder below this one, with its mode.
fn files_below(folder: &Path) -> Outcome<Vec<(std::path::PathBuf, u32)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let about = fs::symlink_metadata(&path)?;
        if about.is_dir() {
            found.extend(files_below(&path)?);
        }
        found.push((path, about.mode() & 0o7777));
    }
    Ok(found)
}

/// F-069: deposits that bring eleven coins each.
pub(crate) async fn many_coins(run: Run) -> Outcome<Proof> {
    const DEPOSITS: usize = 910;
    let scene = Scene::set(&run).await?;
    let wallet = scene
        .wallet_at(&[scene.proxy.url()], Limits { per_payment: 2_000_000, per_day: 10_000_000 })?;
    wallet.fund_often(DEPOSITS / 10, 2_047).await?;
    let balance = wallet.ok("get_balance", json!({})).await?;
    must!(balance.took < Duration::from_secs(1), "the balance took {:?}", balance.took);
    let paid = wallet.ok("pay", json!({"to": scene.invoice(5_000)?.0})).await?;
    must!(paid.took < Duration::from_secs(10), "a payment took {:?}", paid.took);
    let (invoice, hash) = scene.invoice(900_000)?;
    let large = wallet.told("pay", json!({"to": invoice})).await?;
    let is_clean = if large.is_error {
        large.text("money_moved") == "no"
    } else {
        wallet.ended_by_hash(&hash).await?.text("state") == "settled"
    };
    must!(is_clean, "a payment of many coins: {large}");
    let memo = "m".repeat(1 << 20);
    let told = wallet.told("send_token", json!({"amount_sats": 5, "memo": memo})).await?;
    must!(told.is_harmless_refusal(), "a memo of 1 MiB was taken");
    wallet.restart().await?;
    let history = wallet.ok("list_history", json!({"since": "all", "limit": 100})).await?;
    must!(history.took < Duration::from_secs(1), "the history took {:?}", history.took);
    scene.conserved().await?;
    Ok(Proof::of(DEPOSITS * 11).saying(format!(
        "{} coins, payment {:.2} s",
        DEPOSITS * 11,
        paid.took.as_secs_f64()
    )))
}
