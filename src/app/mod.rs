//! Wiring only: opens the wallet, recovers it, starts its tasks, stops it in order.
//!
//! Never decides about money. The wallet is opened at its first use: a session that only lists its
//! tools creates none. After its file has failed, the next call reopens it and recovers what the
//! failure interrupted.
//!
//! ```text
//!  closed --(first call)--> open --(its file fails)--> shut --(next call)--> open
//!                             +--(stop)--> closed
//! ```

mod nostr;
mod open;
mod owner;
mod restore;
mod rules;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

#[cfg(feature = "testing")]
pub use open::open_store;
pub use owner::LocalBackend;

use crate::api::{Code, Error, Source};
use crate::config::{Environment, Home, Settings};
#[cfg(feature = "failpoints")]
use crate::store::Failpoint;
use crate::tasks::Tasks;
use crate::wallet::core::active_policy::Rules;
use crate::wallet::{Caller, Wallet, core::clock};
use rules::FileRules;

/// How long a stop waits for work in progress. Unfinished work stays recorded as open, and the next
/// start continues it.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// How long a stop waits for relays to accept queued events.
const LAST_NEWS: Duration = Duration::from_secs(3);

/// How long running work may continue after the wallet's file has failed, before the file is
/// closed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long a call waits for the wallet to open. Opening continues afterwards.
const PATIENCE: Duration = Duration::from_secs(40);

/// One process's wallet.
#[derive(Debug)]
pub struct App {
    place: Place,
    /// Held while the wallet is opened, since the store must never be opened twice.
    opening: Arc<Mutex<()>>,
    opened: Arc<StdMutex<Option<Opened>>>,
    running: TaskTracker,
}

/// The wallet to open, and its clock.
#[derive(Clone, Debug)]
struct Place {
    environment: Environment,
    home: Option<PathBuf>,
    clock: fn() -> u64,
    #[cfg(feature = "failpoints")]
    failpoint: Option<Failpoint>,
}

#[derive(Clone, Debug)]
struct Opened {
    wallet: Wallet,
    tasks: Arc<Tasks>,
    rules: Arc<FileRules>,
}

impl App {
    /// Creates the app without opening the wallet. `home` is the `--home` flag.
    pub fn new(environment: Environment, home: Option<PathBuf>) -> Arc<Self> {
        Self::with_clock(environment, home, clock::now)
    }

    /// Creates the app with another clock, in Unix seconds, for tests.
    pub fn with_clock(
        environment: Environment,
        home: Option<PathBuf>,
        clock: fn() -> u64,
    ) -> Arc<Self> {
        Self::at(Place {
            environment,
            home,
            clock,
            #[cfg(feature = "failpoints")]
            failpoint: None,
        })
    }

    /// Creates the app with a failpoint in its store, for crash tests.
    #[cfg(feature = "failpoints")]
    pub fn with_failpoint(
        environment: Environment,
        home: Option<PathBuf>,
        clock: fn() -> u64,
        failpoint: Option<Failpoint>,
    ) -> Arc<Self> {
        Self::at(Place { environment, home, clock, failpoint })
    }

    fn at(place: Place) -> Arc<Self> {
        Arc::new(Self {
            place,
            opening: Arc::default(),
            opened: Arc::default(),
            running: TaskTracker::new(),
        })
    }

    /// Stops the tasks and waits for work under way.
    pub async fn stop(&self) {
        self.running.close();
        let _opened_by_then = tokio::time::timeout(LAST_CALLS, self.running.wait()).await;
        if let Some(opened) = self.opened() {
            opened.tasks.stop().await;
            // Unpublished events stay queued; this only publishes them before the next start.
            let _told = tokio::time::timeout(LAST_NEWS, opened.wallet.relays().publish()).await;
            opened.wallet.close(LAST_CALLS).await;
            opened.wallet.shut().await;
        }
    }

    fn opened(&self) -> Option<Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the open wallet. Opens it first, or reopens it if its file has failed.
async fn open(opened: &StdMutex<Option<Opened>>, place: Place) -> Result<Wallet, Error> {
    let before = opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(before) = before {
        if !before.wallet.has_failed() {
            return Ok(before.wallet);
        }
        tracing::warn!("the wallet's file failed; it is being reopened");
        before.tasks.stop().await;
        before.wallet.close(LAST_WORDS).await;
        before.wallet.shut().await;
        opened.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
    let (wallet, rules) =
        open::open(&place.environment, place.home.as_deref(), place.clock).await?;
    #[cfg(feature = "failpoints")]
    if let Some(failpoint) = place.failpoint {
        wallet.set_failpoint(failpoint);
    }
    wallet.recovery().finish_startup().await?;
    wallet.recovery().follow_policy().await?;
    let tasks = Arc::new(Tasks::start(&wallet));
    *opened.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(Opened { wallet: wallet.clone(), tasks, rules });
    Ok(wallet)
}

#[async_trait]
impl Source for App {
    /// Opens the wallet if necessary. The opening continues if its caller leaves.
    async fn wallet(&self) -> Result<Wallet, Error> {
        if let Some(opened) = self.opened().filter(|opened| !opened.wallet.has_failed()) {
            return Ok(opened.wallet);
        }
        let (opening, opened) = (Arc::clone(&self.opening), Arc::clone(&self.opened));
        let place = self.place.clone();
        let opening = self.running.spawn(async move {
            let _one_at_a_time = opening.lock().await;
            open(&opened, place).await
        });
        match tokio::time::timeout(PATIENCE, opening).await {
            Ok(opened) => opened.unwrap_or_else(|_| {
                Err(Error::new(Code::Internal, "The wallet could not be opened."))
            }),
            Err(_) => Err(Error::new(
                Code::WalletBusy,
                "The wallet is still opening: its file is being checked.",
            )
            .next("Wait ten seconds, then make the same call again; nothing was done.")),
        }
    }

    async fn has_open(&self) -> bool {
        match self.opened() {
            Some(opened) => opened.wallet.recovery().has_open().await,
            None => false,
        }
    }

    async fn disputed(&self) -> usize {
        match self.opened() {
            Some(opened) => opened.wallet.recovery().disputed().await.unwrap_or(0),
            None => 0,
        }
    }

    fn tools_of(&self, caller: &Caller) -> Option<BTreeSet<String>> {
        let policy = match self.opened() {
            Some(opened) => opened.rules.current().ok()?,
            None => {
                let home =
                    Home::resolve(self.place.home.as_deref(), &self.place.environment).ok()?;
                Settings::peek(&home).ok()?.policy
            }
        };
        policy.agent(&caller.agent).tools
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_does_not_wait_for_an_opening_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let app = App::new(Environment::default(), Some(folder.path().to_path_buf()));
        let held = Arc::clone(&app.opening).lock_owned().await;
        let began = tokio::time::Instant::now();
        let told = app.wallet().await.err().map(|error| (error.code, error.message));
        assert_eq!(
            told,
            Some((
                Code::WalletBusy,
                "The wallet is still opening: its file is being checked.".to_owned()
            ))
        );
        assert!(began.elapsed() < Duration::from_secs(45), "a client waits for 45 s");
        assert_eq!(app.running.len(), 1, "the opening goes on");
        drop(held);
    }
}
