//! Mints: the only code that uses cdk.
//!
//! Three operations (issue, swap, melt), each planned, journaled by the caller, sent once, and
//! ended by what the mint answers; and queries. cdk supplies the protocol: types, blinding,
//! derivation, signature checks. All requests go through our own HTTP port. Never decides to spend,
//! and never writes proofs or operations to the store: the wallet does that.

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

/// Guard of a mint's lock. Only its holder uses the mint's counters and selects its proofs.
pub type MintGuard = OwnedMutexGuard<()>;

/// Proofs as a mint accepts them.
pub use cdk::nuts::Proofs;

/// Maximum number of melt requests being sent to one mint.
const MELTS_AT_ONCE: usize = 8;

/// Maximum number of melt requests awaiting one mint's answer. Beyond that the mint is asked to
/// answer at once and its quote is polled (NUT-05).
const MELTS_OPEN: usize = 64;

/// The ecash seed (NUT-13), wiped on drop and never printed.
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
    /// Wraps a function that derives a device's seed.
    pub fn new(derive: impl Fn(u32) -> Option<Seed> + Send + Sync + 'static) -> Self {
        Self(Arc::new(derive))
    }

    /// Returns the seed of a device. `None`: it cannot be derived.
    pub fn of(&self, device: u32) -> Option<Seed> {
        (self.0)(device)
    }
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeds(..)")
    }
}

/// Dependencies shared by all mints.
#[derive(Clone, Debug)]
pub struct MintContext {
    /// The HTTP port.
    pub http: Arc<dyn Http>,
    /// The store's records about mints.
    pub records: Arc<dyn MintRecords>,
    /// The seed of this device.
    pub seed: Seed,
    /// The seeds of all devices, for finding their proofs.
    pub seeds: Seeds,
}

/// All mints, each created at its first use.
#[derive(Debug)]
pub struct Mints {
    context: MintContext,
    open: StdMutex<HashMap<MintAddress, Arc<Mint>>>,
    /// The mints that may be used; `None`: all (see [`Mints::allow_only`]).
    checked: StdMutex<Option<BTreeSet<String>>>,
}

impl Mints {
    /// Contacts no mint.
    pub fn new(context: MintContext) -> Self {
        Self { context, open: StdMutex::new(HashMap::new()), checked: StdMutex::new(None) }
    }

    /// Returns the mint at an address. No request.
    ///
    /// # Errors
    /// [`MintError::AddressRefused`] if the address is invalid, [`MintError::Unchecked`] if the
    /// mint may not be used yet.
    pub fn at(&self, address: &MintAddress) -> Result<Arc<Mint>, MintError> {
        let unchecked =
            self.checked().as_ref().is_some_and(|checked| !checked.contains(address.as_str()));
        if unchecked { Err(MintError::Unchecked) } else { self.even_unchecked(address) }
    }

    /// Allows only mints that were rechecked after an older wallet file was opened. `None`: all may
    /// be used.
    pub fn allow_only(&self, checked: Option<BTreeSet<String>>) {
        *self.checked() = checked;
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, Option<BTreeSet<String>>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the seed of a device. `None`: it cannot be derived.
    pub fn seed(&self, device: u32) -> Option<Seed> {
        self.context.seeds.of(device)
    }

    /// Returns the mint at an address for queries only, not for anything that uses counters or
    /// proofs. No request.
    ///
    /// # Errors
    /// [`MintError::AddressRefused`] if the address is invalid.
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
    /// Returns the mints that this process has used.
    pub fn in_use(&self) -> Vec<Arc<Mint>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }
}

/// Permit to send a melt request to one mint, until it is dropped.
#[derive(Debug)]
pub struct MeltPermit(#[expect(dead_code, reason = "held, never read")] OwnedSemaphorePermit);

/// One mint; all amounts are sats.
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

    /// Returns the mint's address.
    pub fn address(&self) -> &MintAddress {
        &self.address
    }

    /// Waits for a permit to send a melt request. Take it before the mint's lock.
    ///
    /// # Errors
    /// [`MintError::NotSent`] if the wallet is closing.
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
