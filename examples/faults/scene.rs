//! The scene of a row: a fresh mint behind a proxy, a simulated Lightning network, and wallets,
//! each in its own folder.
//!
//! ```text
//! let scene = Scene::set(&run).await?;
//! let alice = scene.funded(500).await?;   // a running wallet with 500 sats
//! let rule = Rule::new("POST", "/v1/melt/bolt11", Moment::AfterMint);
//! let rule = scene.proxy.fail(rule.then(alice.killer().await?));
//! alice.call("pay", json!({"to": scene.invoice(50)?.0})).await?;   // None: it died first
//! alice.restart().await?;       // a minute later by its clock
//! scene.conserved().await?;     // lifts all faults, restarts all wallets, checks the law
//! Ok(Proof::of(scene.proxy.fired(rule)))
//! ```

use std::fs::create_dir_all;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use testbed::harness::{Client, Home, Limits, Outcome, Settings, WIDE};
use testbed::{InvoiceSpec, Lightning, MintOptions, Proxy, TestMint};

use crate::mint::Mint;
use crate::trial::Run;
use crate::wallet::Wallet;

/// The lifetime of quotes and invoices in seconds, longer than any jump of a wallet's clock.
pub(crate) const LONG: u64 = 30 * 86_400;

/// Options of a mint whose deposits pay themselves and whose quotes last a month.
pub(crate) fn lasting() -> MintOptions {
    MintOptions { mint_quote_ttl: LONG, melt_quote_ttl: LONG, ..MintOptions::default() }
}

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) run: Run,
    pub(crate) lightning: Lightning,
    pub(crate) mint: Mint,
    /// The proxy whose address the wallets know the mint by.
    pub(crate) proxy: Proxy,
    /// Declared before `folder`, so that their processes end first.
    wallets: Mutex<Vec<Arc<Wallet>>>,
    folder: TempDir,
    others: Mutex<Vec<TestMint>>,
    names: AtomicUsize,
    homes: AtomicUsize,
}

impl Scene {
    /// Starts a mint whose deposits pay themselves and whose quotes last a month.
    pub(crate) async fn set(run: &Run) -> Outcome<Self> {
        Self::with(run, lasting()).await
    }

    /// Starts a mint with these options, which only the testbed's mint has.
    pub(crate) async fn with(run: &Run, options: MintOptions) -> Outcome<Self> {
        let lightning = Lightning::new();
        let mint = Mint::start(run.arguments.mint, &lightning, options).await?;
        let proxy = Proxy::start(&mint.url()).await?;
        let folder = tempfile::Builder::new().prefix("nutpurse-faults-").tempdir()?;
        Ok(Self {
            run: run.clone(),
            lightning,
            mint,
            proxy,
            folder,
            wallets: Mutex::default(),
            others: Mutex::default(),
            names: AtomicUsize::new(0),
            homes: AtomicUsize::new(0),
        })
    }

    /// Makes a wallet of this mint with wide limits, without starting it.
    pub(crate) fn wallet(&self) -> Outcome<Arc<Wallet>> {
        self.wallet_at(&[self.proxy.url()], WIDE)
    }

    /// Starts a wallet of this mint with wide limits and so many sats.
    pub(crate) async fn funded(&self, sats: u64) -> Outcome<Arc<Wallet>> {
        self.funded_within(sats, WIDE).await
    }

    /// Starts a wallet of this mint with these limits and so many sats.
    pub(crate) async fn funded_within(&self, sats: u64, limits: Limits) -> Outcome<Arc<Wallet>> {
        let wallet = self.wallet_at(&[self.proxy.url()], limits)?;
        wallet.fund(sats).await?;
        Ok(wallet)
    }

    /// Makes a wallet of these mints. The law counts it at the scene's mint.
    pub(crate) fn wallet_at(&self, mints: &[String], limits: Limits) -> Outcome<Arc<Wallet>> {
        self.wallet_below("", mints, limits)
    }

    /// Makes a wallet of these mints whose folder is below this path.
    pub(crate) fn wallet_below(
        &self,
        path: &str,
        mints: &[String],
        limits: Limits,
    ) -> Outcome<Arc<Wallet>> {
        let mut wallets = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.homes.fetch_add(1, Ordering::Relaxed);
        let parent = self.folder.path().join(path);
        create_dir_all(&parent)?;
        let path = |what: &str| parent.join(format!("{what}-{number}"));
        let home = Home::make(path("home"), &Settings::at(mints).limits(limits))?;
        let wallet = Arc::new(Wallet::new(&self.run, home, path("log"))?);
        wallets.push(Arc::clone(&wallet));
        Ok(wallet)
    }

    /// Removes a lost wallet from those that the law counts.
    pub(crate) fn forget(&self, lost: &Arc<Wallet>) {
        self.wallets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|wallet| !Arc::ptr_eq(wallet, lost));
    }

    /// One more mint on the same Lightning, without a proxy; the law counts it too.
    pub(crate) async fn another_mint(&self) -> Outcome<String> {
        let options = MintOptions { name: "another".to_owned(), ..lasting() };
        let mint = TestMint::start(&self.lightning, options).await?;
        let url = mint.url();
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(mint);
        Ok(url)
    }

    /// The sum that all its mints owe.
    pub(crate) fn owed(&self) -> Outcome<u64> {
        let mut owed = self.mint.outstanding()?;
        for mint in self.others.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            owed += mint.auditor().outstanding()?;
        }
        Ok(owed)
    }

    /// All wallets so far.
    pub(crate) fn wallets(&self) -> Vec<Arc<Wallet>> {
        self.wallets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An invoice of a new payee and its payment hash. A new payee is no possible duplicate.
    pub(crate) fn invoice(&self, sats: u64) -> Outcome<(String, String)> {
        let spec = InvoiceSpec { expiry_seconds: 2 * LONG, ..InvoiceSpec::sats(sats, "a row") };
        let invoice = self.lightning.payee(&self.name("payee")).invoice_with(&spec)?;
        Ok((invoice.to_string(), invoice.payment_hash().to_string()))
    }

    /// A name that nothing else in the scene has.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }
}
