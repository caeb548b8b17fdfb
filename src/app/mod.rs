//! Wiring only: opens the wallet, recovers it, starts its tasks, stops it in order.
//!
//! Decides nothing about money. The wallet is opened at its first use: a session that only lists its tools leaves no trace.

mod desk;
mod open;
mod restore;
mod rules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

pub use desk::OwnersDesk;
pub use open::open_store;

use crate::config::{Environment, Home, Settings};
use crate::tasks::Tasks;
use crate::wallet::rules::Rules;
use crate::wallet::{Caller, Code, Error, Source, Wallet, clock};
use rules::FileRules;

/// How long a stop waits for what is under way. What is not done then stays recorded as open and is taken up at the next start.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// One process's wallet.
#[derive(Debug)]
pub struct App {
    environment: Environment,
    home: Option<PathBuf>,
    clock: fn() -> u64,
    opened: Arc<OnceCell<Opened>>,
    opening: TaskTracker,
}

#[derive(Debug)]
struct Opened {
    wallet: Wallet,
    tasks: Tasks,
    rules: Arc<FileRules>,
}

impl App {
    /// Opens nothing. `home` is the `--home` flag.
    pub fn new(environment: Environment, home: Option<PathBuf>) -> Arc<Self> {
        Self::with_clock(environment, home, clock::now)
    }

    /// The same by another clock, for tests of what only time brings. `clock` gives Unix seconds.
    pub fn with_clock(environment: Environment, home: Option<PathBuf>, clock: fn() -> u64) -> Arc<Self> {
        Arc::new(Self { environment, home, clock, opened: Arc::default(), opening: TaskTracker::new() })
    }

    /// Stops the tasks and waits for what is under way.
    pub async fn stop(&self) {
        self.opening.close();
        self.opening.wait().await;
        if let Some(opened) = self.opened.get() {
            opened.tasks.stop().await;
            opened.wallet.close(LAST_CALLS).await;
        }
    }
}

async fn open(environment: &Environment, home: Option<&Path>, clock: fn() -> u64) -> Result<Opened, Error> {
    let (wallet, rules) = open::open(environment, home, clock).await?;
    wallet.recover().await?;
    wallet.follow_policy().await?;
    let tasks = Tasks::start(&wallet);
    Ok(Opened { wallet, tasks, rules })
}

#[async_trait]
impl Source for App {
    /// The opening goes on when its caller leaves: two must never hold the store at once.
    async fn wallet(&self) -> Result<Wallet, Error> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.wallet.clone());
        }
        let (opened, environment, home, clock) = (Arc::clone(&self.opened), self.environment.clone(), self.home.clone(), self.clock);
        let opening = self.opening.spawn(async move {
            let opened = opened.get_or_try_init(|| open(&environment, home.as_deref(), clock)).await?;
            Ok(opened.wallet.clone())
        });
        opening.await.unwrap_or_else(|_| Err(Error::new(Code::Internal, "The wallet could not be opened.")))
    }

    fn tools_of(&self, caller: &Caller) -> Option<BTreeSet<String>> {
        let policy = match self.opened.get() {
            Some(opened) => opened.rules.current().ok()?,
            None => {
                let home = Home::resolve(self.home.as_deref(), &self.environment).ok()?;
                Settings::peek(&home).ok()?.policy
            }
        };
        policy.agent(&caller.agent).tools
    }
}
