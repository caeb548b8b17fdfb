//! A real cdk mint over HTTP on loopback, with its database on disk and its Lightning node on the
//! simulated network. It answers on a runtime of its own, and can be ended like a killed process
//! and brought back on the same port with the same database.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::middleware;
use axum::serve::ListenerExt;
use cdk::mint::{Mint, MintBuilder, MintMeltLimits};
use cdk_axum::cache::HttpCache;
use cdk_common::common::QuoteTTL;
use cdk_common::nut17::SupportedMethods;
use cdk_common::nut19::{CachedEndpoint, Method, Path as CachedPath};
use cdk_common::nuts::{CurrencyUnit, PaymentMethod};
use cdk_sqlite::MintSqliteDatabase;
use tempfile::TempDir;

use crate::auditor::Auditor;
use crate::backend::{Backend, Terms};
use crate::inside::{Cut, Cuts, carry_out};
use crate::lightning::Lightning;
use crate::network::NodeId;
use crate::options::MintOptions;
use crate::requests::{Request, RequestLog, record};
use crate::runtime::Own;

const BOLT11: &str = "bolt11";

/// cdk's SQLite calls block their thread, and a transaction holds its lock over an await.
const THREADS: usize = 4;

/// A mint of the bench.
#[derive(Debug)]
pub struct TestMint {
    plan: Arc<Plan>,
    address: SocketAddr,
    live: Mutex<Option<Live>>,
    _folder: TempDir,
}

#[derive(Debug)]
struct Plan {
    options: MintOptions,
    lightning: Lightning,
    node: NodeId,
    seed: Vec<u8>,
    database: PathBuf,
    log: RequestLog,
    cuts: Cuts,
}

struct Live {
    own: Own,
    mint: Mint,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl TestMint {
    /// Starts a mint with an empty database, a node on `lightning` and a free port.
    pub async fn start(lightning: &Lightning, options: MintOptions) -> Result<Self> {
        let folder = TempDir::new()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let plan = Arc::new(Plan {
            node: lightning.join(&options.name),
            lightning: lightning.clone(),
            seed: options.seed.unwrap_or_else(rand::random).to_vec(),
            database: folder.path().join("mint.sqlite"),
            log: RequestLog::default(),
            cuts: Cuts::default(),
            options,
        });
        let live = Mutex::new(Some(Live::open(plan.clone(), listener).await?));
        Ok(Self { plan, address, live, _folder: folder })
    }

    /// Where it answers: `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every HTTP request it saw and that was not taken, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.plan.log.all()
    }

    /// Takes the requests seen until now out of the log.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Request> {
        self.plan.log.take()
    }

    /// The time that the requests in the log spent inside of the mint, added up.
    #[must_use]
    pub fn time_inside(&self) -> Duration {
        self.plan.log.all().iter().map(|request| request.inside).sum()
    }

    /// Drops the next request of this path inside of the mint when it has to wait for the `waits`th
    /// time, from 1. What it has done until then stays, as if its connection had broken at a mint
    /// that drops requests with their connections.
    #[must_use]
    pub fn cut(&self, path: &str, waits: usize) -> Cut {
        self.plan.cuts.add(path, waits)
    }

    /// Reads what it owes from its database; works while it is stopped too.
    #[must_use]
    pub fn auditor(&self) -> Auditor {
        Auditor::new(&self.plan.database)
    }

    /// The path of its database.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.plan.database
    }

    /// The cdk mint itself.
    pub fn mint(&self) -> Result<Mint> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(live.as_ref().context("the mint is stopped")?.mint.clone())
    }

    /// Makes a new keyset with this input fee the active one. After a [`resume`](Self::resume) the
    /// fee of the options is active again, in a keyset of its own.
    pub async fn rotate_keyset(&self, input_fee_ppk: u64) -> Result<()> {
        let amounts = (0..32).map(|power| 1 << power).collect();
        let mint = self.mint()?;
        mint.rotate_keyset(CurrencyUnit::Sat, amounts, input_fee_ppk, true, None).await?;
        Ok(())
    }

    /// Ends it like a killed process: the port is closed, connections drop, work in progress stops
    /// where it stands. What is on its way on Lightning goes on.
    pub async fn stop(&self) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Live { own, mint }) = live {
            drop(mint);
            own.end().await;
        }
    }

    /// Brings a stopped mint back on the same port with the same database.
    pub async fn resume(&self) -> Result<()> {
        ensure!(self.mint().is_err(), "the mint is running");
        let listener = TcpListener::bind(self.address)?;
        let live = Live::open(self.plan.clone(), listener).await?;
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live);
        Ok(())
    }
}

impl Live {
    async fn open(plan: Arc<Plan>, listener: TcpListener) -> Result<Self> {
        let own = Own::new("mint", THREADS)?;
        let mint = own.run(async move { plan.open(listener).await }).await?;
        Ok(Self { own, mint })
    }
}

impl Plan {
    async fn open(&self, listener: TcpListener) -> Result<Mint> {
        let url = format!("http://{}", listener.local_addr()?);
        let mint = self.build(url).await?;
        mint.start().await?;
        let router = self.router(&mint).await?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|connection| {
            connection.set_nodelay(true).ok();
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(mint)
    }

    async fn build(&self, url: String) -> Result<Mint> {
        let options = &self.options;
        let database = Arc::new(MintSqliteDatabase::new(self.database.clone()).await?);
        let terms = Terms {
            fee_reserve_min: options.fee_reserve_min,
            fee_reserve_percent: options.fee_reserve_percent,
            amountless: options.amountless,
            auto_pay: options.auto_pay,
        };
        let backend = Backend::new(self.lightning.clone(), self.node, terms, database.clone());
        let mut builder = MintBuilder::new(database.clone())
            .with_name(options.name.clone())
            .with_description(options.description.clone())
            .with_urls(vec![url])
            .with_keyset_v2(Some(!options.keyset_version_0))
            .with_limits(1000, 1000);
        if options.websocket {
            let methods = SupportedMethods::default_bolt11(CurrencyUnit::Sat);
            builder = builder.with_supported_websockets(methods);
        }
        if options.replay_seconds.is_some() {
            let replayed = [
                CachedPath::Swap,
                CachedPath::custom_mint(BOLT11),
                CachedPath::custom_melt(BOLT11),
            ];
            let replayed = replayed.map(|path| CachedEndpoint::new(Method::Post, path));
            builder = builder.with_cache(options.replay_seconds, replayed.to_vec());
        }
        let limits = MintMeltLimits {
            mint_min: options.mint_limits.0.into(),
            mint_max: options.mint_limits.1.into(),
            melt_min: options.melt_limits.0.into(),
            melt_max: options.melt_limits.1.into(),
        };
        let method = PaymentMethod::BOLT11;
        builder.add_payment_processor(CurrencyUnit::Sat, method, limits, Arc::new(backend)).await?;
        builder.set_unit_fee(&CurrencyUnit::Sat, options.input_fee_ppk)?;
        let mint = builder.build_with_seed(database, &self.seed).await?;
        let ttl = QuoteTTL::new(options.mint_quote_ttl, options.melt_quote_ttl);
        mint.set_quote_ttl(ttl).await?;
        Ok(mint)
    }

    async fn router(&self, mint: &Mint) -> Result<axum::Router> {
        let kept = Duration::from_secs(self.options.replay_seconds.unwrap_or(0));
        let cache = HttpCache::new(kept, kept, None);
        let methods = vec![BOLT11.to_owned()];
        let mint = Arc::new(mint.clone());
        let router =
            cdk_axum::create_mint_router_with_custom_cache(mint, cache, methods, false).await?;
        let router = router.layer(middleware::from_fn_with_state(self.cuts.clone(), carry_out));
        Ok(router.layer(middleware::from_fn_with_state(self.log.clone(), record)))
    }
}
