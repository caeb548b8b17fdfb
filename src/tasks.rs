//! The background tasks: run the wallet's reconcilers when woken and periodically. Schedules only.
//!
//! A run takes no input, is repeatable, and never overlaps with another of the same task. It never
//! retries: the next run is the retry.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wallet::News;
use crate::wallet::Wallet;
use crate::wallet::engine::recheck::Which;

/// Interval at which keysets are fetched, short enough that no cached one expires during a payment.
const KEYSET_REFRESH: Duration = Duration::from_secs(45 * 60);
/// How often the owner's settings files are read.
const POLICY_CHECK: Duration = Duration::from_secs(2);
/// How often the mints that must be checked before use are asked.
const RECHECK: Duration = Duration::from_secs(60);
/// Minimum interval between two settlement rounds.
const MIN_ROUND_GAP: Duration = Duration::from_millis(200);

/// How long changes are collected before they are published to the relays.
const PUBLISH_DELAY: Duration = Duration::from_millis(200);

/// Maximum interval between two runs over the queue for the relays.
const PUBLISH_PERIOD: Duration = Duration::from_secs(3600);

/// How long news from relays is collected before a sync.
const NEWS_DELAY: Duration = Duration::from_secs(1);

/// Minimum interval between two syncs started by news, since anyone can send news.
const MIN_SYNC_GAP: Duration = Duration::from_secs(10);

/// How often a sync runs without news.
const SYNC_PERIOD: Duration = Duration::from_secs(300);

/// Pauses of the task that shrinks spent proofs in parts: before the first part, between two parts,
/// and after the last part.
const SHRINK_START: Duration = Duration::from_secs(30);
const SHRINK_NEXT_PART: Duration = Duration::from_secs(1);
const SHRINK_PERIOD: Duration = Duration::from_secs(6 * 3600);

/// How long a stop waits for an unfinished copy of the wallet's file. If the copy takes longer, it
/// is made at the next start.
const COPY_TIMEOUT: Duration = Duration::from_secs(5);

/// The running tasks.
#[derive(Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts all tasks.
    pub fn start(wallet: &Wallet) -> Self {
        let tasks = Self { tracker: TaskTracker::new(), stop: CancellationToken::new() };
        tasks.run(settle(wallet.clone()));
        tasks.run(refresh(wallet.clone()));
        tasks.run(follow_policy(wallet.clone()));
        tasks.run(recheck(wallet.clone()));
        tasks.run(shrink(wallet.clone()));
        let (copied, stop) = (wallet.clone(), tasks.stop.clone());
        tasks.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = copied.recovery().copy_file() => {}
                () = async { stop.cancelled().await; sleep(COPY_TIMEOUT).await } => {}
            }
        });
        if wallet.relays().has_relays() {
            tasks.run(publish(wallet.clone()));
            tasks.run(sync(wallet.clone()));
            tasks.run(listen(wallet.clone()));
        }
        tasks.tracker.close();
        tasks
    }

    /// Stops all tasks and waits until they have ended.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.wait().await;
    }

    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }
}

async fn settle(wallet: Wallet) {
    loop {
        let round = wallet.clone();
        let next = match wallet.to_its_end(async move { round.recovery().settle().await }).await {
            Some(Ok(next)) => next,
            Some(Err(error)) => {
                tracing::error!(%error, "a settlement round failed");
                Duration::from_secs(10)
            }
            None => return,
        };
        sleep(MIN_ROUND_GAP).await;
        tokio::select! {
            () = wallet.settle_wanted() => {}
            () = sleep(next) => {}
        }
    }
}

/// Publishes changes to the relays after a short delay, so that changes made together are sent
/// together.
async fn publish(wallet: Wallet) {
    let mut changes = wallet.changes();
    loop {
        changes.mark_unchanged();
        let round = wallet.clone();
        let next = match wallet.to_its_end(async move { round.relays().publish().await }).await {
            Some(Ok(next)) => next.unwrap_or(PUBLISH_PERIOD),
            Some(Err(error)) => {
                tracing::error!(%error, "a change was not published to the relays");
                Duration::from_secs(10)
            }
            None => return,
        };
        tokio::select! {
            _ = changes.changed() => sleep(PUBLISH_DELAY).await,
            () = sleep(next) => {}
        }
    }
}

async fn sync(wallet: Wallet) {
    let mut period = interval(SYNC_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut not_before = Instant::now();
    loop {
        let news = async {
            let news = wallet.relays().news().await;
            sleep(NEWS_DELAY).await;
            sleep_until(not_before).await;
            news
        };
        let news = tokio::select! {
            _ = period.tick() => News::Coins,
            news = news => news,
        };
        let round = wallet.clone();
        let done = wallet.to_its_end(async move {
            match news {
                News::Coins => round.relays().sync_quietly().await,
                News::Nutzaps => round.relays().take_nutzaps().await,
            }
        });
        if let Some(Err(error)) = done.await {
            tracing::error!(
                %error,
                "a sync with the relays failed"
            );
        }
        not_before = Instant::now() + MIN_SYNC_GAP;
    }
}

async fn listen(wallet: Wallet) {
    wallet.relays().listen().await;
}

async fn refresh(wallet: Wallet) {
    let mut period = interval(KEYSET_REFRESH);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    period.tick().await;
    loop {
        period.tick().await;
        wallet.refresh_mints().await;
    }
}

async fn follow_policy(wallet: Wallet) {
    let mut period = interval(POLICY_CHECK);
    loop {
        period.tick().await;
        if let Err(error) = wallet.recovery().follow_policy().await {
            tracing::error!(
                %error,
                "a policy change was not recorded in the history"
            );
        }
    }
}

async fn shrink(wallet: Wallet) {
    let mut place = None;
    sleep(SHRINK_START).await;
    loop {
        if place.is_none()
            && let Err(error) = wallet.recovery().retire_deposits().await
        {
            tracing::error!(%error, "old invoices were not retired");
        }
        match wallet.recovery().shrink_spent(place).await {
            Ok(next) => place = next,
            Err(error) => {
                tracing::error!(%error, "spent proofs were not shrunk")
            }
        }
        sleep(if place.is_some() { SHRINK_NEXT_PART } else { SHRINK_PERIOD }).await;
    }
}

async fn recheck(wallet: Wallet) {
    let mut period = interval(RECHECK);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    period.tick().await;
    loop {
        period.tick().await;
        if let Err(error) = wallet.recovery().recheck(Which::Unchecked, |_| ()).await {
            tracing::error!(%error, "the mints were not checked");
        }
    }
}
