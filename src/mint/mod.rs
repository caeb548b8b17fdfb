//! Mints: the only code that speaks to cdk.
//!
//! One cdk wallet per mint behind our own connector, over our own network port and our own store. Never decides to spend, never writes to
//! the store but through cdk's `WalletDatabase`: what to record, and when, is the wallet's affair.

mod change;
mod connector;
pub mod error;
mod hint;
pub mod info;
pub mod issue;
pub mod melt;
pub mod restore;
mod resume;
mod split;
pub mod swap;
pub mod token;
pub mod unlock;
mod verdict;
mod vet;
mod wire;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use cdk::mint_url::MintUrl;
use cdk::nuts::{CurrencyUnit, Id, KeySet};
use cdk::wallet::{Wallet as CdkWallet, WalletBuilder};
use cdk_common::database::{Error as DatabaseError, WalletDatabase};
use cdk_common::wallet::KeysetLoadPolicy;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use connector::Connector;
pub use connector::Turn;
use error::MintError;

use crate::model::mint::MintAddress;
use crate::ports::{Barrier, Doubt, Http};

/// The store, as cdk sees it.
pub type Database = Arc<dyn WalletDatabase<DatabaseError> + Send + Sync>;

/// Coins as a mint takes them.
pub type Coins = cdk::nuts::Proofs;

/// Melts that may be under way at one mint at once.
const MELTS_AT_ONCE: usize = 8;

/// The ecash seed (NUT-13). Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Seed(Arc<Zeroizing<[u8; 64]>>);

impl Seed {
    /// Wraps a seed.
    pub fn new(bytes: [u8; 64]) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    fn bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The ecash seeds of all devices of one mnemonic.
#[derive(Clone)]
pub struct Seeds(Arc<dyn Fn(u32) -> Option<Seed> + Send + Sync>);

impl Seeds {
    /// By what they are derived with.
    pub fn new(derive: impl Fn(u32) -> Option<Seed> + Send + Sync + 'static) -> Self {
        Self(Arc::new(derive))
    }

    /// The seed of a device.
    pub fn of(&self, device: u32) -> Option<Seed> {
        (self.0)(device)
    }
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeds(..)")
    }
}

/// What every mint needs.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The network.
    pub http: Arc<dyn Http>,
    /// The store as cdk sees it.
    pub database: Database,
    /// The journal's doubts.
    pub doubt: Arc<dyn Doubt>,
    /// The store's barrier.
    pub barrier: Arc<dyn Barrier>,
    /// The seed of this device.
    pub seed: Seed,
    /// The seeds of all devices, to find what they left.
    pub seeds: Seeds,
}

/// All mints, made at their first use.
#[derive(Debug)]
pub struct Mints {
    parts: Parts,
    open: StdMutex<HashMap<MintAddress, Arc<Mint>>>,
    /// `Some`: only these may be used (see [`Mints::only`]).
    checked: StdMutex<Option<BTreeSet<String>>>,
}

impl Mints {
    /// No mint is contacted.
    pub fn new(parts: Parts) -> Self {
        Self { parts, open: StdMutex::new(HashMap::new()), checked: StdMutex::new(None) }
    }

    /// The mint at an address. No request.
    ///
    /// # Errors
    /// [`MintError::AddressRefused`] when the address is none, [`MintError::Unchecked`] when it may not be used yet.
    pub fn at(&self, address: &MintAddress) -> Result<Arc<Mint>, MintError> {
        let unchecked = self.checked().as_ref().is_some_and(|checked| !checked.contains(address.as_str()));
        if unchecked { Err(MintError::Unchecked) } else { self.even_unchecked(address) }
    }

    /// The mints that have been asked what they hold for an older file; all others may not be used. `None`: all may be used.
    pub fn only(&self, checked: Option<BTreeSet<String>>) {
        *self.checked() = checked;
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, Option<BTreeSet<String>>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seed of a device. `None`: it cannot be derived.
    pub fn seed(&self, device: u32) -> Option<Seed> {
        self.parts.seeds.of(device)
    }

    /// The mint at an address, for asking what it holds and for showing it: nothing that uses counters or coins. No request.
    ///
    /// # Errors
    /// [`MintError::AddressRefused`] when the address is none.
    pub fn even_unchecked(&self, address: &MintAddress) -> Result<Arc<Mint>, MintError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mint) = open.get(address) {
            return Ok(Arc::clone(mint));
        }
        let mint = Arc::new(Mint::new(address.clone(), &self.parts)?);
        open.insert(address.clone(), Arc::clone(&mint));
        Ok(mint)
    }
}

impl Mints {
    /// The mints that this process has used.
    pub fn in_use(&self) -> Vec<Arc<Mint>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }
}

/// A place among the melts under way at one mint, until it is dropped.
#[derive(Debug)]
pub struct MeltPlace(#[expect(dead_code, reason = "held, never read")] OwnedSemaphorePermit);

/// One mint, sats.
pub struct Mint {
    address: MintAddress,
    cdk: CdkWallet,
    connector: Arc<Connector>,
    http: Arc<dyn Http>,
    seed: Seed,
    turn: Arc<Mutex<()>>,
    melts: Arc<Semaphore>,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Mint {
    fn new(address: MintAddress, parts: &Parts) -> Result<Self, MintError> {
        let refused = |error: &dyn fmt::Display| MintError::AddressRefused(error.to_string());
        let url = MintUrl::from_str(address.as_str()).map_err(|error| refused(&error))?;
        let (http, doubt, barrier) = (Arc::clone(&parts.http), Arc::clone(&parts.doubt), Arc::clone(&parts.barrier));
        let connector = Arc::new(Connector::new(url.clone(), http, doubt, barrier, Arc::clone(&parts.database)));
        let cdk = WalletBuilder::new()
            .mint_url(url)
            .unit(CurrencyUnit::Sat)
            .localstore(Arc::clone(&parts.database))
            .seed(*parts.seed.bytes())
            .set_metadata_cache_ttl(None)
            .without_rate_limiting()
            .shared_client(Arc::clone(&connector) as Arc<_>)
            .build()
            .map_err(|error| refused(&error))?;
        Ok(Self {
            address,
            cdk,
            connector,
            http: Arc::clone(&parts.http),
            seed: parts.seed.clone(),
            turn: Arc::new(Mutex::new(())),
            melts: Arc::new(Semaphore::new(MELTS_AT_ONCE)),
        })
    }

    /// Its address.
    pub fn address(&self) -> &MintAddress {
        &self.address
    }

    /// Waits for one of the few places for melts under way. To be taken before the turn: a place may take as long as Lightning.
    ///
    /// # Errors
    /// [`MintError::NotSent`] when the wallet is closing.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn melt_place(&self) -> Result<MeltPlace, MintError> {
        let place = Arc::clone(&self.melts).acquire_owned().await;
        place.map(MeltPlace).map_err(|_| MintError::NotSent("the wallet is closing".to_owned()))
    }

    /// Waits for the right to use its counters and choose among its coins.
    pub async fn turn(&self) -> Turn {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Ends what a crash cut short, as far as cdk keeps journals: deposits being claimed, melts under way. Only at start, before any
    /// other use, with the turn. Requests only where something was open.
    ///
    /// # Errors
    /// As the mint says; what is left stays for the next time.
    pub async fn recover(&self, _turn: &Turn) -> Result<(), MintError> {
        self.cdk.recover_incomplete_sagas().await?;
        Ok(())
    }

    /// What a coin of each keyset costs to spend, in thousandths of a sat. Requests only at the mint's first use.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn fees_ppk(&self) -> Result<HashMap<Id, u64>, MintError> {
        Ok(self.keysets().await?.into_iter().map(|keyset| (keyset.id, keyset.input_fee_ppk)).collect())
    }

    /// What a coin of the mint's current keyset costs to spend, in thousandths of a sat. `None`: not known yet. No request.
    pub async fn fee_ppk(&self) -> Option<u64> {
        let keyset = self.cdk.active_keyset_with_policy(KeysetLoadPolicy::CacheOnly).await;
        keyset.ok().map(|keyset| keyset.input_fee_ppk)
    }

    async fn keysets(&self) -> Result<Vec<KeySet>, MintError> {
        Ok(self.cdk.keysets(KeysetLoadPolicy::CacheThenNetwork).await?)
    }

    async fn refresh_keysets(&self) -> Result<Vec<KeySet>, MintError> {
        Ok(self.cdk.keysets(KeysetLoadPolicy::Refresh).await?)
    }

    async fn active_keyset(&self) -> Result<KeySet, MintError> {
        Ok(self.cdk.active_keyset().await?)
    }

    async fn keyset(&self, id: Id) -> Result<KeySet, MintError> {
        Ok(self.cdk.keyset(id).await?)
    }
}
