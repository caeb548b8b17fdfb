//! Mints: the only code that speaks to cdk.
//!
//! Three operations (mint, swap, melt), each planned, journaled by the caller, sent once, and ended
//! from what the mint says; and questions. cdk gives the protocol: types, blinding, derivation,
//! proofs of signatures. All requests go over our own port. Never decides to spend, and never
//! writes a coin or an operation to the store: what to record, and when, is the wallet's affair.

mod client;
pub mod error;
mod heard;
mod hint;
pub mod info;
pub mod issue;
mod keysets;
pub mod melt;
pub mod operation;
mod outputs;
mod read;
pub mod restore;
mod resume;
mod split;
pub mod swap;
pub mod token;
pub mod unlock;
mod verdict;
mod vet;

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

/// The right to use a mint's counters and to choose among its coins. Dropping it gives it back.
pub type Turn = OwnedMutexGuard<()>;

/// Coins as a mint takes them.
pub type Coins = cdk::nuts::Proofs;

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

/// What every mint needs.
#[derive(Clone, Debug)]
pub struct Parts {
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
    /// [`MintError::AddressRefused`] when the address is none, [`MintError::Unchecked`] when it may
    /// not be used yet.
    pub fn at(&self, address: &MintAddress) -> Result<Arc<Mint>, MintError> {
        let unchecked =
            self.checked().as_ref().is_some_and(|checked| !checked.contains(address.as_str()));
        if unchecked { Err(MintError::Unchecked) } else { self.even_unchecked(address) }
    }

    /// The mints that have been asked what they hold for an older file; all others may not be used.
    /// `None`: all may be used.
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

/// A place among the melts that are leaving for one mint, until it is dropped.
#[derive(Debug)]
pub struct MeltPlace(#[expect(dead_code, reason = "held, never read")] OwnedSemaphorePermit);

/// One mint, sats.
pub struct Mint {
    address: MintAddress,
    client: Client,
    keysets: Keysets,
    seed: Seed,
    turn: Arc<Mutex<()>>,
    melts: Arc<Semaphore>,
    open_melts: Arc<Semaphore>,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Mint {
    fn new(address: MintAddress, parts: &Parts) -> Result<Self, MintError> {
        let url = MintUrl::from_str(address.as_str())
            .map_err(|error| MintError::AddressRefused(error.to_string()))?;
        Ok(Self {
            address,
            client: Client::new(url, Arc::clone(&parts.http), Arc::clone(&parts.records)),
            keysets: Keysets::default(),
            seed: parts.seed.clone(),
            turn: Arc::new(Mutex::new(())),
            melts: Arc::new(Semaphore::new(MELTS_AT_ONCE)),
            open_melts: Arc::new(Semaphore::new(MELTS_OPEN)),
        })
    }

    /// Its address.
    pub fn address(&self) -> &MintAddress {
        &self.address
    }

    /// Waits for one of the few places for melts that are leaving. To be taken before the turn.
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
}
