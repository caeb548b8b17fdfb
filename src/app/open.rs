//! Opens a wallet: folder, settings, store, keys, network, mints, in this order. Contacts nobody.

use std::path::Path;
use std::sync::Arc;

use super::nostr::{nostr, taken_over};
use super::rules::{FileRules, invalid};
use crate::api::error::damaged;
use crate::api::{Code, Error};
use crate::config::keys::{Keys, KeysError};
use crate::config::{Environment, Home, Identity, Settings, SettingsError};
use crate::mint::{MintContext, Mints, Seed, Seeds};
use crate::model::keys::KeysPlace;
use crate::net::{NetworkSettings, Web};
use crate::ports::Http;
use crate::store::{Meta, Store, StoreError, copies};
use crate::wallet::{Parts, Wallet, core::clock};

const RESTORE_WORDS: &str = "nutpurse restore --words";

pub(super) async fn open(
    environment: &Environment,
    home: Option<&Path>,
    clock: fn() -> u64,
) -> Result<(Wallet, Arc<FileRules>), Error> {
    let home = resolve(environment, home)?;
    let (wallet, rules, _) = wallet(environment, &home, clock).await?;
    wallet.recovery().begin_recheck().await;
    Ok((wallet, rules))
}

/// Opens the wallet of a folder; returns it with its rules and its store.
pub(super) async fn wallet(
    environment: &Environment,
    home: &Home,
    clock: fn() -> u64,
) -> Result<(Wallet, Arc<FileRules>, Store), Error> {
    let (rules, settings) = FileRules::start(home.clone())?;
    let store = store_at(home, clock).await?;
    let (keys, place) = keys(home, &store, environment).await?;
    let meta = store.meta().await?;
    let web: Arc<dyn Http> = Arc::new(web(&settings)?);
    let nostr = nostr(&settings, environment, &keys, &web, clock)?;
    let seeds = Seeds::new(move |device| keys.seed(device).ok().map(|seed| Seed::new(*seed)));
    let parts = MintContext {
        http: Arc::clone(&web) as Arc<_>,
        records: store.records(meta.device),
        seed: seeds
            .of(meta.device)
            .ok_or_else(|| Error::new(Code::Internal, "The seed could not be made."))?,
        seeds,
    };
    let (mints, rules_too) = (Mints::new(parts), Arc::clone(&rules) as Arc<_>);
    let parts = Parts {
        store: store.clone(),
        mints,
        http: web,
        rules: rules_too,
        clock,
        keys: place,
        nostr,
    };
    Ok((Wallet::new(parts).await?, rules, store))
}

/// Resolves the folder, which may not exist yet.
pub(super) fn resolve(environment: &Environment, home: Option<&Path>) -> Result<Home, Error> {
    Home::resolve(home, environment).map_err(|error| {
        Error::new(Code::SettingsInvalid, "The wallet's folder cannot be used.")
            .with("file", error.to_string())
    })
}

/// Opens a folder's store, and records in the folder that it is the newest one.
///
/// # Errors
/// `wallet_busy` when another process holds it, `wallet_damaged`, `storage_failed`: nothing moved.
pub async fn open_store(home: &Home) -> Result<Store, Error> {
    store_at(home, clock::now).await
}

pub(super) async fn store_at(home: &Home, clock: fn() -> u64) -> Result<Store, Error> {
    let known = identity(home)?;
    let path = home.store();
    let gone = !path.try_exists().unwrap_or(true);
    if gone && (known.is_some() || home.keys().exists() || copies::any(&path)) {
        return Err(damaged("the file is missing, but other files of this wallet are there"));
    }
    let name = known.as_ref().map(|known| (known.wallet_id.clone(), known.generation));
    let store = match Store::open_known(path, clock, name).await {
        Ok(store) => store,
        Err(StoreError::AlreadyOpen) => {
            return Err(Error::new(Code::WalletBusy, "Another process holds this wallet."));
        }
        Err(error) => return Err(Error::from(error)),
    };
    let opened = store.begin_session(known.map(|known| known.generation)).await?;
    if opened.rolled_back {
        tracing::warn!(
            "the wallet's file is older than the last one used: its coins are held until their mints were checked"
        );
    }
    write_identity(home, &opened.meta)?;
    Ok(store)
}

/// Reads the folder's identity file. `None`: there is none.
pub(super) fn identity(home: &Home) -> Result<Option<Identity>, Error> {
    Identity::read(home).map_err(|error| damaged(&error.to_string()))
}

pub(super) fn write_identity(home: &Home, meta: &Meta) -> Result<(), Error> {
    let (wallet_id, keys, device, generation) =
        (meta.wallet_id.clone(), meta.keys, meta.device, meta.generation);
    let identity = Identity { wallet_id, keys, device, generation };
    identity.write(home).map_err(|error| {
        tracing::error!(%error, "the wallet's identity file could not be written");
        Error::new(Code::StorageFailed, "The wallet's folder could not be written.")
    })
}

/// Loads or creates the keys. Their place is durable before they are used.
pub(super) async fn keys(
    home: &Home,
    store: &Store,
    environment: &Environment,
) -> Result<(Keys, KeysPlace), Error> {
    let meta = store.meta().await?;
    let at = home.clone();
    let (id, known, keyring_off) = (meta.wallet_id, meta.keys, environment.keyring_off);
    // The environment's Nostr key is only for new keys.
    let nostr =
        if known.is_none() && !home.keys().exists() { taken_over(environment)? } else { None };
    let found = tokio::task::spawn_blocking(move || {
        Keys::load_or_create(&at, &id, known, keyring_off, nostr.as_ref())
    });
    let (keys, place) = found
        .await
        .map_err(|_| Error::new(Code::Internal, "The keys were not read."))?
        .map_err(no_keys)?;
    let mark = keys.mark().map_err(no_keys)?;
    // A keyring or a file may contain the mnemonic of another wallet. Coins derived from it would
    // be lost, or would belong to someone else.
    if meta.keys_mark.as_ref().is_some_and(|known| *known != mark) {
        return Err(no_keys(KeysError::OtherWallet(place)));
    }
    if known.is_none() || meta.keys_mark.is_none() {
        let change = move |meta: &mut Meta| {
            meta.keys = Some(place);
            meta.keys_mark = Some(mark);
        };
        let meta = store.set_meta(change).await?;
        write_identity(home, &meta)?;
    }
    Ok((keys, place))
}

pub(super) fn no_keys(error: KeysError) -> Error {
    tracing::error!(%error, "the keys cannot be used");
    match error {
        KeysError::Locked => Error::new(Code::WalletLocked, "The keyring that holds the wallet's keys does not answer."),
        KeysError::Missing(_) => Error::new(Code::WalletDamaged, "The wallet's keys are missing; no new ones were created.")
            .next("Stop spending and tell the user: the wallet's keys are missing and must be put back, or restored from the twelve words.")
            .with("a_person_runs", RESTORE_WORDS),
        KeysError::OtherWallet(place) => Error::new(Code::WalletDamaged, "The keys belong to another wallet; they are not used.")
            .next("Stop spending and tell the user: the wallet's keys belong to another wallet; its own must be put back, or restored from the twelve words.")
            .with("place", place.to_string()),
        _ => Error::new(Code::SettingsInvalid, "The wallet's keys cannot be read.").with("file", "keys.toml"),
    }
}

pub(super) fn web(settings: &Settings) -> Result<Web, Error> {
    let network = NetworkSettings {
        allow: settings.network.allow.iter().cloned().collect(),
        proxy: settings.network.proxy.clone(),
    };
    Web::new(&network).map_err(|_| {
        Error::from(invalid(&SettingsError {
            file: "config.toml".to_owned(),
            line: None,
            key: Some("network".to_owned()),
            reason: "cannot be used".to_owned(),
        }))
    })
}
