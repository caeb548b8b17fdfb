//! Restores a folder: replaces a damaged or missing file with a good copy or an empty store, and
//! asks the mints.
//!
//! Never deletes or overwrites: a damaged file is renamed. A kill at any point leaves a folder that
//! reports damage, or one whose mints are checked before they are used; the restore can be run
//! again.

use std::collections::BTreeSet;

use super::nostr::taken_over;
use super::open::{identity, no_keys, store_at, wallet, write_identity};
use crate::api::{Code, Error};
use crate::cli::owner::{RestoreFrom, Summary};
use crate::config::{Environment, Home, Identity, Keys, Settings};
use crate::model::keys::KeysPlace;
use crate::model::ledger::DAY_SECONDS;
use crate::store::copies::{self, VerifiedCopy};
use crate::store::{Meta, Store, StoreError};
use crate::wallet::core::clock;
use crate::wallet::engine::recheck::{Restored, Step, Which};

/// The text for a person when nothing was restored.
type Refusal = String;

fn told(error: &Error) -> Refusal {
    match (error.code, error.reason()) {
        (Code::WalletBusy, _) => {
            "another process holds this wallet; close the app that runs it, then try again"
                .to_owned()
        }
        (_, Some(reason)) => format!("{} ({reason})", error.message),
        _ => error.message.clone(),
    }
}

fn of_store(error: StoreError) -> Refusal {
    told(&Error::from(error))
}

pub(super) async fn restore(
    home: &Home,
    environment: &Environment,
    from: &RestoreFrom,
    step: &(dyn Fn(Step<'_>) + Send + Sync),
) -> Result<Summary, Refusal> {
    Settings::load(home).map_err(|error| error.to_string())?;
    let mut done = Vec::new();
    let known = known(home, &mut done)?;
    prepare(home, environment, from, known, &mut done).await?;
    let (wallet, _, store) =
        wallet(environment, home, clock::now).await.map_err(|error| told(&error))?;
    let restored = wallet
        .recovery()
        .recheck(Which::All, step)
        .await
        .map_err(|failure| told(&failure.into()))?;
    if let Err(error) = wallet.relays().look_at_relays().await {
        tracing::warn!(%error, "the relays were not read");
    }
    let (named, mints_elsewhere) =
        wallet.relays().named_on_relays().await.map_err(|failure| told(&failure.into()))?;
    let shared_sats =
        wallet.relays().shared_sats().await.map_err(|failure| told(&failure.into()))?;
    let mut meta = store.meta().await.map_err(of_store)?;
    if meta.device_open {
        let free = free_device(&restored, &named);
        meta = store
            .set_meta(move |meta| {
                meta.device = free;
                meta.device_open = false;
            })
            .await
            .map_err(of_store)?;
        write_identity(home, &meta).map_err(|error| told(&error))?;
    }
    store.barrier().await.map_err(of_store)?;
    let balances = store.balances().await.map_err(of_store)?;
    let spendable_sats = balances
        .iter()
        .filter(|one| one.unit == "sat")
        .map(|one| one.unspent)
        .fold(0, u64::saturating_add);
    let window_full_until = meta.window_full_until.filter(|until| *until > clock::now());
    Ok(Summary {
        done,
        restored,
        device: meta.device,
        window_full_until,
        spendable_sats,
        shared_sats,
        mints_elsewhere,
    })
}

/// Returns a device number that no mint or relay knows, as far as they were asked.
fn free_device(restored: &Restored, named: &BTreeSet<u32>) -> u32 {
    if !named.contains(&restored.free_device) {
        return restored.free_device;
    }
    named.last().copied().unwrap_or(0).max(restored.last_device).saturating_add(1)
}

/// Reads the folder's identity file; renames one that cannot be read.
fn known(home: &Home, done: &mut Vec<String>) -> Result<Option<Identity>, Refusal> {
    if let Ok(known) = identity(home) {
        return Ok(known);
    }
    let aside = copies::set_aside(&home.identity(), clock::now()).map_err(of_store)?;
    done.extend(aside.map(|aside| format!("the unreadable wallet.id is now {}", aside.display())));
    Ok(None)
}

/// Ensures that the folder has a store and keys that can be opened.
async fn prepare(
    home: &Home,
    environment: &Environment,
    from: &RestoreFrom,
    known: Option<Identity>,
    done: &mut Vec<String>,
) -> Result<(), Refusal> {
    let path = home.store();
    let empty = known.is_none() && !path.exists() && !home.keys().exists() && !copies::any(&path);
    let healthy = if empty || !path.exists() { None } else { healthy(home).await? };
    if let Some(meta) = healthy {
        are_its_own(from, &meta)?;
        if from.copy.is_some() {
            return Err(
                "the wallet's file is intact and newer than any copy, so it was not replaced"
                    .to_owned(),
            );
        }
        let had = keys(home, environment, &meta.wallet_id, meta.keys, None);
        if let (Err(_) | Ok(None), Some(_)) = (&had, &from.words) {
            keys(home, environment, &meta.wallet_id, meta.keys, from.words.as_ref())?;
            done.push("the keys were put back".to_owned());
            let store = store_at(home, clock::now).await.map_err(|error| told(&error))?;
            return store.mark_stale().await.map_err(of_store);
        }
        had?.ok_or("the wallet's keys are missing: run `nutpurse restore --words`")?;
        keys(home, environment, &meta.wallet_id, meta.keys, from.words.as_ref())?;
        done.push("the wallet's file is intact".to_owned());
        return Ok(());
    }
    if empty && from.words.is_none() && from.copy.is_none() {
        return Err(
            "there is nothing here to restore from: give --words, or --copy FILE".to_owned()
        );
    }
    let copy = choose(home, from, known.as_ref())?;
    copy.iter().try_for_each(|copy| are_its_own(from, &copy.meta))?;
    let id = known
        .as_ref()
        .map(|known| known.wallet_id.clone())
        .or_else(|| copy.as_ref().map(|copy| copy.meta.wallet_id.clone()));
    let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
    let place = known
        .as_ref()
        .and_then(|known| known.keys)
        .or_else(|| copy.as_ref().and_then(|copy| copy.meta.keys));
    let found = keys(home, environment, &id, place, from.words.as_ref())?;
    let place = found.ok_or("the wallet's keys are not here: run `nutpurse restore --words`")?;
    let aside = copies::set_aside(&path, clock::now()).map_err(of_store)?;
    done.extend(aside.map(|aside| format!("the damaged file is now {}", aside.display())));
    match copy {
        Some(copy) => {
            copies::put_back(&copy, &path).map_err(of_store)?;
            done.push(format!("put back: {}", copy.path.display()));
            // Without an identity file, opening the copy cannot detect that it is older than the
            // lost file.
            let store = store_at(home, clock::now).await.map_err(|error| told(&error))?;
            if !store
                .meta()
                .await
                .map_err(of_store)?
                .checked
                .is_some_and(|checked| checked.is_empty())
            {
                store.mark_stale().await.map_err(of_store)?;
            }
            store.set_meta(move |meta| meta.keys = Some(place)).await.map_err(of_store)?;
        }
        None => {
            let made = made_anew(id, place, known.as_ref());
            drop(Store::create(path, clock::now, made).await.map_err(of_store)?);
            done.push("there is no good copy: an empty store was made; the history is lost, the mints are asked for the coins".to_owned());
        }
    }
    Ok(())
}

/// Checks that the typed words, if any, are this wallet's. Stores nothing.
fn are_its_own(from: &RestoreFrom, meta: &Meta) -> Result<(), Refusal> {
    let (Some(words), Some(known)) = (&from.words, &meta.keys_mark) else { return Ok(()) };
    let typed =
        Keys::typed(words).and_then(|keys| keys.mark()).map_err(|error| error.to_string())?;
    if typed == *known {
        Ok(())
    } else {
        Err("this folder has keys of another wallet; use an empty folder for these words"
            .to_owned())
    }
}

/// Fills in an empty store: every mint must be checked first, and the day's limit counts as used
/// up.
fn made_anew(
    id: String,
    place: KeysPlace,
    known: Option<&Identity>,
) -> impl FnOnce(&mut Meta) + Send + 'static {
    let (device, generation) =
        known.map_or((None, 0), |known| (Some(known.device), known.generation));
    let until = clock::now().saturating_add(DAY_SECONDS);
    move |meta| {
        meta.wallet_id = id;
        meta.keys = Some(place);
        meta.generation = generation;
        meta.checked = Some(BTreeSet::new());
        meta.window_full_until = Some(until);
        meta.device = device.unwrap_or(0);
        meta.last_device = device.unwrap_or(0);
        meta.device_open = device.is_none();
    }
}

/// Returns the store's metadata if its file can be opened. `None`: it is damaged.
async fn healthy(home: &Home) -> Result<Option<Meta>, Refusal> {
    match store_at(home, clock::now).await {
        Ok(store) => store.meta().await.map(Some).map_err(of_store),
        Err(error) if error.code == Code::WalletDamaged => Ok(None),
        Err(error) => Err(told(&error)),
    }
}

/// Chooses the copy to put back: the one named, else the newest good one. `None`: there is none.
fn choose(
    home: &Home,
    from: &RestoreFrom,
    known: Option<&Identity>,
) -> Result<Option<VerifiedCopy>, Refusal> {
    let Some(path) = &from.copy else {
        return copies::newest(&home.store(), known.map(|known| known.wallet_id.as_str()))
            .map_err(of_store);
    };
    let copy = copies::verify(path)
        .map_err(|error| format!("that copy cannot be used: {}", of_store(error)))?;
    match known {
        Some(known) if known.wallet_id != copy.meta.wallet_id => {
            Err("that copy belongs to another wallet".to_owned())
        }
        _ => Ok(Some(copy)),
    }
}

/// Finds the place of the keys, after storing those given. `None`: there are none.
fn keys(
    home: &Home,
    environment: &Environment,
    id: &str,
    known: Option<KeysPlace>,
    words: Option<&crate::model::secret::Secret>,
) -> Result<Option<KeysPlace>, Refusal> {
    let off = environment.keyring_off;
    let found = match words {
        Some(words) => {
            let nostr = taken_over(environment).map_err(|error| told(&error))?;
            Keys::keep(home, id, known, words, off, nostr.as_ref()).map(Some)
        }
        None => Keys::find(home, id, known, off),
    };
    found.map(|found| found.map(|(_, place)| place)).map_err(|error| match error {
        crate::config::KeysError::NotWords | crate::config::KeysError::OtherWallet(_) => {
            error.to_string()
        }
        error => told(&no_keys(error)),
    })
}
