//! Mints: the only code that speaks to cdk.
//!
//! Three operations (mint, swap, melt), each planned, journaled by the caller, sent once, and ended
//! from what the mint says; and questions. cdk gives the protocol: types, blinding, derivation,
//! proofs of signatures. All requests go over our own port. Never decides to spend, and never
//! writes a coin or an operation to the store: what to record, and when, is the wallet's affair.

mod classify;
mod client;
mod denominations;
pub mod dleq;
pub mod error;
pub mod info;
pub mod issue;
mod keysets;
pub mod melt;
pub mod operation;
mod outputs;
mod read;
pub mod restore;
mod resume;
mod subscription;
pub mod swap;
pub mod token;
mod unanswered;
mod validate;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use cdk::mint_url::MintUrl;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use client::Client;
use error::MintError;
use keysets::Keysets;

use crate::model::mint::MintAddress;
use crate::ports::{Http, MintRecords};

/// Guard of a mint's lock: its holder alone uses the mint's counters and selects its proofs.
pub type MintGuard = OwnedMutexGuard<()>;

/// Proofs as a mint takes them.
pub use cdk::nuts::Proofs;

/// Melts whose requests may be leaving for one mint at once.
const MELTS_AT_ONCE: usize = 8;

/// Exchanges of melts that may be open at one mint at once. Beyond that the mint is asked to answer
/// at once and is polled (NUT-05).
const MELTS_OPEN: usize = 64;

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

/// What all mints share.
#[derive(Clone, Debug)]
pub struct MintContext {
    /// The network.
    pub http: Arc<dyn Http>,
    /// What the store remembers of mints.
    pub records: Arc<dyn MintRecords>,
    /// The seed of this device.
    pub seed: Seed,
    /// The seeds of all devices, to find what they left.
    pub seeds: Seeds,
}

/// All mints, made at their first use.
#[derive(Debug)]
pub struct Mints {
    context: MintContext,
    open: StdMutex<HashMap<MintAddress, Arc<Mint>>>,
    /// `Some`: only these may be used (see [`Mints::allow_only`]).
    checked: StdMutex<Option<BTreeSet<String>>>,
}

impl Mints {
    /// No mint is contacted.
    pub fn new(context: MintContext) -> Self {
        Self { context, open: StdMutex::new(HashMap::new()), checked: StdMutex::new(None) }
    }

    /// The mint at an address. No request.
    ///
    /// # Errors
    /// [`MintError::AddressRefused`] when the address is none, [`MintError::Unchecked`] when it may
    /// not be used yet.
    pub fn at(&self, address: &MintAddress) -> Result<Arc<Mint>, MintError> {
        let unchecked =
            self.checked().as_ref().is_some_and(|checked| !checked.contains(address.as_str()));
        if unchecked { Err(MintError::Unchecked) } else { self.even_unchecked(address) }
    }

    /// The mints that have been asked what they hold for an older file; all others may not be used.
    /// `None`: all may be used.
    pub fn allow_only(&self, checked: Option<BTreeSet<String>>) {
        *self.checked() = checked;
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, Option<BTreeSet<String>>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seed of a device. `None`: it cannot be derived.
    pub fn seed(&self, device: u32) -> Option<Seed> {
        self.context.seeds.of(device)
    }

    /// The mint at an address, for asking what it holds and for showing it: nothing that uses
    /// counters or coins. No request.
    ///
    /// # Errors
    /// [`MintError::AddressRefused`] when the address is none.
    pub fn even_unchecked(&self, address: &MintAddress) -> Result<Arc<Mint>, MintError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mint) = open.get(address) {
            return Ok(Arc::clone(mint));
        }
        let mint = Arc::new(Mint::new(address.clone(), &self.context)?);
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

/// A permit to send a melt request to one mint, until it is dropped.
#[derive(Debug)]
pub struct MeltPermit(#[expect(dead_code, reason = "held, never read")] OwnedSemaphorePermit);

/// One mint, sats.
pub struct Mint {
    address: MintAddress,
    client: Client,
    keysets: Keysets,
    seed: Seed,
    lock: Arc<Mutex<()>>,
    leaving_melts: Arc<Semaphore>,
    open_melts: Arc<Semaphore>,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Mint {
    fn new(address: MintAddress, context: &MintContext) -> Result<Self, MintError> {
        let url = MintUrl::from_str(address.as_str())
            .map_err(|error| MintError::AddressRefused(error.to_string()))?;
        Ok(Self {
            address,
            client: Client::new(url, Arc::clone(&context.http), Arc::clone(&context.records)),
            keysets: Keysets::default(),
            seed: context.seed.clone(),
            lock: Arc::new(Mutex::new(())),
            leaving_melts: Arc::new(Semaphore::new(MELTS_AT_ONCE)),
            open_melts: Arc::new(Semaphore::new(MELTS_OPEN)),
        })
    }

    /// Its address.
    pub fn address(&self) -> &MintAddress {
        &self.address
    }

    /// Waits for a permit to send a melt request. It is taken before the mint's lock.
    ///
    /// # Errors
    /// [`MintError::NotSent`] when the wallet is closing.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn melt_permit(&self) -> Result<MeltPermit, MintError> {
        let permit = Arc::clone(&self.leaving_melts).acquire_owned().await;
        permit.map(MeltPermit).map_err(|_| MintError::NotSent("the wallet is closing".to_owned()))
    }

    /// Waits for the mint's lock.
    pub async fn lock(&self) -> MintGuard {
        Arc::clone(&self.lock).lock_owned().await
    }
}
