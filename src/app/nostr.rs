//! Assembles the Nostr part of a wallet: the key, the relays, and when other devices' coins are
//! adopted. Contacts nobody.

use std::sync::Arc;

use super::open::no_keys;
use crate::api::{Code, Error};
use crate::cli::owner::GivenKey;
use crate::config::{Environment, Keys, Settings};
use crate::model::secret::Secret;
use crate::nostr::{Identity, Relays, app_data};
use crate::ports::Http;
use crate::wallet::core::relays::{AdoptPolicy, NostrParts};

/// Reads the Nostr key in the environment, in the form in which it is stored. Only for new keys.
///
/// # Errors
/// `settings_invalid` when it is not a key; nothing was created.
pub(super) fn taken_over(environment: &Environment) -> Result<Option<Secret>, Error> {
    let Some(given) = &environment.nsec else { return Ok(None) };
    let identity = Identity::from_nsec(given).map_err(|_| {
        Error::new(
            Code::SettingsInvalid,
            "NUTPURSE_NSEC is not a readable Nostr key; nothing was created.",
        )
        .with("key", "NUTPURSE_NSEC")
    })?;
    Ok(Some(identity.secret_hex()))
}

/// Reads a person's Nostr key, decrypted if necessary, in the form in which it is stored.
pub(super) fn opened(given: &GivenKey) -> Result<Secret, String> {
    let identity = match &given.password {
        Some(password) => Identity::from_ncryptsec(given.text.reveal(), password),
        None => Identity::from_nsec(&given.text),
    };
    identity.map(|identity| identity.secret_hex()).map_err(|error| error.to_string())
}

/// The wallet's Nostr key: the one that a person gave, else the mnemonic's (NIP-06).
pub(super) fn identity(keys: &Keys) -> Result<Identity, Error> {
    let made = match keys.nostr() {
        Some(kept) => Identity::from_nsec(kept),
        None => Identity::from_words(keys.mnemonic()),
    };
    made.map_err(|_| {
        Error::new(Code::SettingsInvalid, "The wallet's Nostr key cannot be read.")
            .with("file", "keys.toml")
    })
}

/// Builds the wallet's Nostr part. `None`: no relays are set, so Nostr is off.
pub(super) fn nostr(
    settings: &Settings,
    environment: &Environment,
    keys: &Keys,
    http: &Arc<dyn Http>,
    clock: fn() -> u64,
) -> Result<Option<NostrParts>, Error> {
    if settings.nostr.relays.is_empty() {
        return Ok(None);
    }
    let identity = identity(keys)?;
    if let Some(given) = &environment.nsec {
        let same = Identity::from_nsec(given)
            .is_ok_and(|given| given.public_key() == identity.public_key());
        if !same {
            tracing::warn!("NUTPURSE_NSEC is not this wallet's key; it is not used");
        }
    }
    let mut urls: Vec<String> = Vec::new();
    for url in &settings.nostr.relays {
        let url = url.trim_end_matches('/').to_owned();
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    let seed = keys.seed(0).map_err(no_keys)?;
    let mints_identity = app_data::mints_identity(&seed)
        .map_err(|_| Error::new(Code::Internal, "A Nostr key could not be made."))?;
    Ok(Some(NostrParts {
        relays: Arc::new(
            Relays::new(Arc::clone(http), Some(identity.clone()), clock).of_owner(&urls),
        ),
        anonymous_relays: Arc::new(Relays::new(Arc::clone(http), None, clock)),
        mints_identity,
        identity,
        urls,
        nutzaps: settings.nostr.nutzaps,
        nutzap_min_sats: settings.nostr.nutzap_min_sats,
        adopt_when: match settings.nostr.claim {
            crate::config::AdoptWhen::Shortfall => AdoptPolicy::OnShortfall,
            crate::config::AdoptWhen::Sync => AdoptPolicy::OnSync,
            crate::config::AdoptWhen::AtOnce => AdoptPolicy::AtOnce,
        },
        nutzap_key: keys.nutzap().map_err(no_keys)?,
    }))
}
