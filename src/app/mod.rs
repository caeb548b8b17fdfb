//! Wiring only: opens the wallet, recovers it, starts its tasks, stops it in order.
//!
//! Decides nothing about money. The wallet is opened at its first use: a session that only lists its tools leaves no trace.

mod desk;
mod open;
mod rules;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

pub use desk::OwnersDesk;
pub use open::open_store;

use crate::config::Environment;
use crate::tasks::Tasks;
use crate::wallet::{Error, Source, Wallet, clock};

/// How long a stop waits for what is under way. What is not done then stays recorded as open and is taken up at the next start.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// One process's wallet.
#[derive(Debug)]
pub struct App {
    environment: Environment,
    home: Option<PathBuf>,
    clock: fn() -> u64,
    opened: OnceCell<Opened>,
}

#[derive(Debug)]
struct Opened {
    wallet: Wallet,
    tasks: Tasks,
}

impl App {
    /// Opens nothing. `home` is the `--home` flag.
    pub fn new(environment: Environment, home: Option<PathBuf>) -> Arc<Self> {
        Self::with_clock(environment, home, clock::now)
    }

    /// The same by another clock, for tests of what only time brings. `clock` gives Unix seconds.
    pub fn with_clock(environment: Environment, home: Option<PathBuf>, clock: fn() -> u64) -> Arc<Self> {
        Arc::new(Self { environment, home, clock, opened: OnceCell::new() })
    }

    /// Stops the tasks and waits for what is under way.
    pub async fn stop(&self) {
        if let Some(opened) = self.opened.get() {
            opened.tasks.stop().await;
            opened.wallet.close(LAST_CALLS).await;
        }
    }
}

#[async_trait]
impl Source for App {
    async fn wallet(&self) -> Result<Wallet, Error> {
        let opened = self
            .opened
            .get_or_try_init(|| async {
                let wallet = open::open(&self.environment, self.home.as_deref(), self.clock).await?;
                wallet.recover().await?;
                let tasks = Tasks::start(&wallet);
                Ok::<_, Error>(Opened { wallet, tasks })
            })
            .await?;
        Ok(opened.wallet.clone())
    }
}
