//! The clock: runs the wallet's reconcilers, woken or by period. Schedules only.
//!
//! An activation takes no input, is repeatable, and never runs twice at once; there is no retry
//! inside one, the period is the retry.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wallet::Wallet;
use crate::wallet::nostr::News;
use crate::wallet::restore::Which;

/// How often keysets are asked for again, well before any cache of them would run out inside a
/// payment.
const REFRESH: Duration = Duration::from_secs(45 * 60);
/// How often the owner's files are looked at when nobody asks.
const LOOK: Duration = Duration::from_secs(2);
/// How often mints that have to be asked before they are used are asked again.
const ASK: Duration = Duration::from_secs(60);
/// The shortest time between two rounds.
const BREATH: Duration = Duration::from_millis(200);

/// How long changes are gathered before relays are told.
const GATHER: Duration = Duration::from_millis(200);

/// How long relays hear nothing where nothing changes.
const QUIET: Duration = Duration::from_secs(3600);

/// How long news is gathered before it is looked at.
const MORE_NEWS: Duration = Duration::from_secs(1);

/// The shortest time between two rounds that news has woken: anybody can make news.
const NEWS_APART: Duration = Duration::from_secs(10);

/// How often other devices' changes are looked for where nothing is heard.
const SYNC: Duration = Duration::from_secs(300);

/// When the spent coins are looked through first, how long after one part of them the next is, and
/// after the last the first.
const FIRST_LOOK: Duration = Duration::from_secs(30);
const NEXT_PART: Duration = Duration::from_secs(1);
const NEXT_LOOK: Duration = Duration::from_secs(6 * 3600);

/// How long a stop waits for a copy of the wallet's file that is being made. One that is not made
/// is due again at the next start.
const LAST_COPY: Duration = Duration::from_secs(5);

/// The running tasks.
#[derive(Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts all of them.
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
                () = copied.copy_file() => {}
                () = async { stop.cancelled().await; sleep(LAST_COPY).await } => {}
            }
        });
        if wallet.has_relays() {
            tasks.run(publish(wallet.clone()));
            tasks.run(sync(wallet.clone()));
            tasks.run(listen(wallet.clone()));
        }
        tasks.tracker.close();
        tasks
    }

    /// Ends them and waits until they have ended.
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
        let next = match wallet.to_its_end(async move { round.settle().await }).await {
            Some(Ok(next)) => next,
            Some(Err(error)) => {
                tracing::error!(code = error.code.as_str(), "a round was not finished");
                Duration::from_secs(10)
            }
            None => return,
        };
        sleep(BREATH).await;
        tokio::select! {
            () = wallet.settle_wanted() => {}
            () = sleep(next) => {}
        }
    }
}

/// Brings each change to the relays, a moment later: what changes together is told together.
async fn publish(wallet: Wallet) {
    let mut changes = wallet.changes();
    loop {
        changes.mark_unchanged();
        let round = wallet.clone();
        let next = match wallet.to_its_end(async move { round.publish().await }).await {
            Some(Ok(next)) => next.unwrap_or(QUIET),
            Some(Err(error)) => {
                tracing::error!(code = error.code.as_str(), "relays were not told of a change");
                Duration::from_secs(10)
            }
            None => return,
        };
        tokio::select! {
            _ = changes.changed() => sleep(GATHER).await,
            () = sleep(next) => {}
        }
    }
}

async fn sync(wallet: Wallet) {
    let mut period = interval(SYNC);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut not_before = Instant::now();
    loop {
        let news = async {
            let news = wallet.news().await;
            sleep(MORE_NEWS).await;
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
                News::Coins => round.sync_quietly().await,
                News::Nutzaps => round.take_nutzaps().await,
            }
        });
        if let Some(Err(error)) = done.await {
            tracing::error!(
                code = error.code.as_str(),
                "relays and wallet were not brought together"
            );
        }
        not_before = Instant::now() + NEWS_APART;
    }
}

async fn listen(wallet: Wallet) {
    wallet.listen().await;
}

async fn refresh(wallet: Wallet) {
    let mut period = interval(REFRESH);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    period.tick().await;
    loop {
        period.tick().await;
        wallet.refresh_mints().await;
    }
}

async fn follow_policy(wallet: Wallet) {
    let mut period = interval(LOOK);
    loop {
        period.tick().await;
        if let Err(error) = wallet.follow_policy().await {
            tracing::error!(
                code = error.code.as_str(),
                "a change of the rules is not in the history"
            );
        }
    }
}

async fn shrink(wallet: Wallet) {
    let mut place = None;
    sleep(FIRST_LOOK).await;
    loop {
        if place.is_none()
            && let Err(error) = wallet.retire_deposits().await
        {
            tracing::error!(code = error.code.as_str(), "old invoices were not looked through");
        }
        match wallet.shrink_spent(place).await {
            Ok(next) => place = next,
            Err(error) => {
                tracing::error!(code = error.code.as_str(), "spent coins were not looked through")
            }
        }
        sleep(if place.is_some() { NEXT_PART } else { NEXT_LOOK }).await;
    }
}

async fn recheck(wallet: Wallet) {
    let mut period = interval(ASK);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    period.tick().await;
    loop {
        period.tick().await;
        if let Err(error) = wallet.recheck(Which::Unchecked, |_| ()).await {
            tracing::error!(code = error.code.as_str(), "the mints were not asked what they hold");
        }
    }
}
