//! Opening a wallet: folder, settings, store, keys, network, mints, in this order. Contacts nobody.

use std::path::Path;
use std::sync::Arc;

use super::rules::{FileRules, invalid};
use crate::config::keys::{Keys, KeysError};
use crate::config::{Environment, Home, Settings, SettingsError};
use crate::mint::{Mints, Parts as MintParts, Seed};
use crate::model::keys::KeysPlace;
use crate::net::{NetworkSettings, Web};
use crate::store::{Store, StoreError};
use crate::wallet::{Code, Error, Parts, Wallet, clock};

/// Opens the wallet.
pub(super) async fn open(environment: &Environment, home: Option<&Path>, clock: fn() -> u64) -> Result<(Wallet, Arc<FileRules>), Error> {
    let home = resolve(environment, home)?;
    let (rules, settings) = FileRules::start(home.clone())?;
    let store = store_at(&home, clock).await?;
    let (seed, place) = keys(&home, &store, environment.keyring_off).await?;
    let web = Arc::new(web(&settings)?);
    let parts = MintParts {
        http: web,
        database: store.view(store.meta().await?.device),
        doubt: Arc::new(store.clone()),
        barrier: Arc::new(store.clone()),
        seed,
    };
    let keys = match place {
        KeysPlace::Keyring => "keyring",
        KeysPlace::File => "file",
    };
    let wallet = Wallet::new(Parts { store, mints: Mints::new(parts), rules: Arc::clone(&rules) as Arc<_>, clock, keys }).await?;
    Ok((wallet, rules))
}

/// The folder, which may not exist yet.
pub(super) fn resolve(environment: &Environment, home: Option<&Path>) -> Result<Home, Error> {
    Home::resolve(home, environment)
        .map_err(|error| Error::new(Code::SettingsInvalid, "The wallet's folder cannot be used.").with("file", error.to_string()))
}

/// The store of a home.
///
/// # Errors
/// `wallet_busy` when another process holds it, `wallet_damaged`, `storage_failed`: nothing moved.
pub async fn open_store(home: &Home) -> Result<Store, Error> {
    store_at(home, clock::now).await
}

async fn store_at(home: &Home, clock: fn() -> u64) -> Result<Store, Error> {
    match Store::open(home.store(), clock).await {
        Ok(store) => Ok(store),
        Err(StoreError::AlreadyOpen) => Err(Error::new(Code::WalletBusy, "Another process holds this wallet.")),
        Err(error) => Err(Error::from(error)),
    }
}

/// The seed of this device, and where the keys lie; the place is durable before the keys are used.
pub(super) async fn keys(home: &Home, store: &Store, keyring_off: bool) -> Result<(Seed, KeysPlace), Error> {
    let meta = store.meta().await?;
    let home = home.clone();
    let (id, known, device) = (meta.wallet_id, meta.keys, meta.device);
    let found = tokio::task::spawn_blocking(move || {
        let (keys, place) = Keys::load_or_create(&home, &id, known, keyring_off)?;
        Ok::<_, KeysError>((Seed::new(*keys.seed(device)?), place))
    });
    let (seed, place) = found.await.map_err(|_| Error::new(Code::Internal, "The keys were not read."))?.map_err(no_keys)?;
    if known.is_none() {
        store.set_meta(move |meta| meta.keys = Some(place)).await?;
    }
    Ok((seed, place))
}

fn no_keys(error: KeysError) -> Error {
    tracing::error!(%error, "the keys cannot be had");
    match error {
        KeysError::Locked => Error::new(Code::WalletLocked, "The keyring that holds the wallet's keys does not answer."),
        KeysError::Missing(_) => Error::new(Code::WalletDamaged, "The wallet's keys are missing; none were made anew.")
            .next("Stop spending and tell the user: the wallet's keys are missing and must be put back."),
        _ => Error::new(Code::SettingsInvalid, "The wallet's keys cannot be read.").with("file", "keys.toml"),
    }
}

fn web(settings: &Settings) -> Result<Web, Error> {
    let network = NetworkSettings { allow: settings.network.allow.iter().cloned().collect(), proxy: settings.network.proxy.clone() };
    Web::new(&network).map_err(|_| {
        invalid(&SettingsError {
            file: "config.toml".to_owned(),
            line: None,
            key: Some("network".to_owned()),
            reason: "cannot be used".to_owned(),
        })
    })
}
