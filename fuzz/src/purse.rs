//! A wallet in memory with one mint behind any `Http`. Its time passes only when everything waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nutpurse::testing::api::tools::{self, Answer, Silent, ToolFailure};
use nutpurse::testing::api::{Code, Error, Source};
use nutpurse::testing::mint::{MintContext, Mints, Seed, Seeds};
use nutpurse::testing::model::mint::TrustedMint;
use nutpurse::testing::policy::{Limits, Policy};
use nutpurse::testing::ports::{Http, HttpFailure, HttpRequest, HttpResponse, Socket};
use nutpurse::testing::store::Store;
use nutpurse::testing::wallet::{Caller, Parts, Wallet};
use serde_json::{Map, Value};

/// The URL of the wallet's mint.
pub(super) const MINT: &str = "https://mint.example.com";
/// The longest answer of a tool, in bytes.
const MAX_ANSWER: usize = 1_100_000;

/// The time limit for closing the wallet.
const PATIENCE: Duration = Duration::from_secs(3_600);

static NOW: AtomicU64 = AtomicU64::new(1_800_000_000);

/// The wallet's clock, in Unix seconds.
pub(super) fn now() -> u64 {
    NOW.load(Ordering::Relaxed)
}

pub(super) fn pass(seconds: u64) {
    NOW.fetch_add(seconds, Ordering::Relaxed);
}

/// Runs `work` on a runtime whose timers fire as soon as everything waits.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).max_blocking_threads(4).build().unwrap();
    runtime.block_on(work)
}

fn policy() -> Policy {
    let limits = Limits {
        per_payment_sats: 1_000_000,
        per_day_sats: 100_000_000,
        max_fee_hundredths: 10_000,
        max_fee_floor_sats: 1_000_000,
    };
    let mint = TrustedMint { address: MINT.parse().unwrap(), test: true, max_balance_sats: None };
    Policy { limits, paused: false, agents: std::collections::BTreeMap::new(), mints: vec![mint] }
}

/// A wallet with its store and network.
#[derive(Debug)]
pub(super) struct Purse {
    pub(super) store: Store,
    http: Arc<dyn Http>,
    wallet: Wallet,
}

impl Purse {
    pub(super) async fn new(http: Arc<dyn Http>) -> Self {
        let store = Store::with_backend(redb::backends::InMemoryBackend::new(), now).await.unwrap();
        Self::over(store, http).await.unwrap()
    }

    /// Opens the wallet of a store.
    pub(super) async fn over(store: Store, http: Arc<dyn Http>) -> Result<Self, Error> {
        let wallet = open(&store, &http).await?;
        Ok(Self { store, http, wallet })
    }

    /// Closes the wallet in order.
    pub(super) async fn close(self) {
        self.wallet.close(PATIENCE).await;
    }

    /// Reopens the wallet, as another process would.
    pub(super) async fn restart(&mut self) {
        self.wallet.close(PATIENCE).await;
        self.wallet = open(&self.store, &self.http).await.unwrap();
    }

    pub(super) fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Calls a tool, and checks the time and form of its answer.
    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, Code> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        call(tool, arguments, self).await
    }
}

async fn open(store: &Store, http: &Arc<dyn Http>) -> Result<Wallet, Error> {
    let parts = MintContext {
        http: Arc::clone(http),
        records: store.records(0),
        seed: Seed::new([7; 64]),
        seeds: Seeds::new(|_| Some(Seed::new([7; 64]))),
    };
    let parts = Parts {
        store: store.clone(),
        mints: Mints::new(parts),
        http: Arc::clone(http),
        rules: Arc::new(policy()),
        clock: now,
        keys: nutpurse::testing::model::keys::KeysPlace::File,
        nostr: None,
    };
    let wallet = Wallet::new(parts).await?;
    wallet.recovery().finish_startup().await?;
    Ok(wallet)
}

#[async_trait]
impl Source for Purse {
    async fn wallet(&self) -> Result<Wallet, Error> {
        Ok(self.wallet.clone())
    }
}

/// A source without a wallet.
#[derive(Debug)]
pub(super) struct NoPurse;

#[async_trait]
impl Source for NoPurse {
    async fn wallet(&self) -> Result<Wallet, Error> {
        Err(Error::new(Code::WalletBusy, "Another process holds this wallet."))
    }
}

/// Calls a tool of a source, and checks the time and form of its answer.
pub(super) async fn call(
    tool: &str,
    arguments: Map<String, Value>,
    source: &dyn Source,
) -> Result<Value, Code> {
    let caller = Caller { agent: "tester".to_owned() };
    let answer = tools::call(tool, arguments, &caller, source, &Silent);
    let answer = tokio::time::timeout(Duration::from_secs(47), answer).await;
    match answer.unwrap_or_else(|_| panic!("{tool} took longer than 45 s")) {
        Ok(Answer { structured, .. }) => {
            assert!(structured.is_object());
            assert!(structured.to_string().len() <= MAX_ANSWER, "{tool} answered too much");
            Ok(structured)
        }
        Err(ToolFailure::UnknownTool) => Err(Code::NotFound),
        Err(ToolFailure::Failed(error)) => {
            let code = error.code;
            assert_ne!(code, Code::Internal, "{tool}: {error}");
            assert_eq!(Code::from_word(code.as_str()), Some(code));
            let told = serde_json::to_string(&error).unwrap();
            assert!(told.len() <= 16_000, "{tool} failed with {} bytes", told.len());
            assert!(!error.message.is_empty() && !error.next_step.is_empty());
            Err(code)
        }
    }
}

/// A network without any server.
#[derive(Debug)]
pub(super) struct Nobody;

#[async_trait]
impl Http for Nobody {
    async fn send(&self, _request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        Err(HttpFailure::NotSent("nobody is there".to_owned()))
    }

    async fn websocket(&self, _url: &str) -> Result<Socket, HttpFailure> {
        Err(HttpFailure::NotSent("nobody is there".to_owned()))
    }
}
