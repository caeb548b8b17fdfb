//! Where a run takes place: two mints on one network, each behind a proxy, a wallet at both, and a
//! friend.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nutpurse::testing::api::Code;
use nutpurse::testing::wallet::core::clock;
use serde_json::Value;
use testbed::{Bolt11Invoice, Lightning, MintOptions, Payee, Proxy, TestMint};
use tokio::task::JoinHandle;

use super::plan::Plan;
use crate::world::{Agent, Failure, Home, Limits, Settings};

/// Runs that go on at once, each by a clock of its own.
pub(super) const LANES: usize = 4;

static OFFSETS: [AtomicI64; LANES] = [const { AtomicI64::new(0) }; LANES];

fn now<const LANE: usize>() -> u64 {
    clock::now().saturating_add_signed(OFFSETS[LANE].load(Ordering::SeqCst))
}

/// All that was done, in order.
#[derive(Clone, Debug)]
pub(super) struct Log {
    begun: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), lines: Arc::default() }
    }

    pub(super) fn note(&self, line: String) {
        let line = format!("{:6.2} {line}", self.begun.elapsed().as_secs_f32());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    pub(super) fn all(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

/// A token of ours that left: when by the wallet's clock, what it was worth and cost.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) id: Value,
    pub(super) token: Value,
}

/// What the run has made so far.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) invoices: Vec<Bolt11Invoice>,
    pub(super) given: Vec<Given>,
    pub(super) taken: Vec<Value>,
    /// The payment hashes that were asked to be paid with each key.
    pub(super) keyed: BTreeMap<String, Vec<String>>,
    /// The payment hashes that were asked to be paid without a key.
    pub(super) keyless: BTreeSet<String>,
    /// Quotes that stood at a mint when the payment was answered to have failed.
    pub(super) failed: Vec<(String, String)>,
    /// Payment hashes whose payee holds the payment.
    pub(super) held: BTreeSet<String>,
    /// Calls that wait for such a payee.
    pub(super) waiting: Vec<JoinHandle<Result<Value, Failure>>>,
    /// Payment hashes whose payment was refused, until the wallet is asked again.
    pub(super) refused: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) log: Log,
    pub(super) lane: usize,
    pub(super) per_day: u64,
    pub(super) arrive: bool,
    pub(super) lightning: Lightning,
    pub(super) shop: Payee,
    pub(super) mints: Vec<(TestMint, Proxy)>,
    pub(super) home: Arc<Home>,
    pub(super) agent: Agent,
    pub(super) friend: Agent,
    pub(super) made: Mutex<Made>,
    /// Each jump of the clock: when by the true time, and the offset from then on.
    pub(super) jumps: Vec<(u64, i64)>,
}

/// The clock of a lane.
fn clock_of(lane: usize) -> fn() -> u64 {
    [now::<0>, now::<1>, now::<2>, now::<3>][lane]
}

impl Scene {
    pub(super) async fn set(plan: &Plan, lane: usize, log: Log) -> Self {
        OFFSETS[lane].store(0, Ordering::SeqCst);
        let lightning = Lightning::new();
        let mut mints = Vec::new();
        for name in ["North", "South"] {
            let mint = TestMint::start(
                &lightning,
                MintOptions { auto_pay: None, ..MintOptions::named(name) },
            )
            .await
            .unwrap();
            let proxy = Proxy::start(&mint.url()).await.unwrap();
            mints.push((mint, proxy));
        }
        let urls: Vec<String> = mints.iter().map(|(_, proxy)| proxy.url()).collect();
        let limits = Limits { per_payment: 100_000, per_day: plan.per_day };
        let home = Arc::new(Home::new(&Settings::at(&urls).limits(limits)).unwrap());
        let agent = Agent::at(Arc::clone(&home), clock_of(lane));
        let friend = Agent::new(&urls);
        log.note(format!(
            "limit of a day {}, at the end payments arrive: {}",
            plan.per_day, plan.arrive
        ));
        let scene = Self {
            log,
            lane,
            per_day: plan.per_day,
            arrive: plan.arrive,
            shop: lightning.payee("shop"),
            lightning,
            mints,
            home,
            agent,
            friend,
            made: Mutex::default(),
            jumps: vec![(0, 0)],
        };
        for (wallet, sats) in [(&scene.agent, 3_000), (&scene.friend, 300)] {
            for url in &urls {
                scene.fill(wallet, url, sats).await;
            }
        }
        scene
    }

    pub(super) async fn fill(&self, wallet: &Agent, mint: &str, sats: u64) {
        let deposit =
            wallet.ok("deposit", serde_json::json!({"amount_sats": sats, "mint": mint})).await;
        self.lightning.pay(&deposit["bolt11"].as_str().unwrap().parse().unwrap()).unwrap();
        let told = wallet
            .ok(
                "get_deposit",
                serde_json::json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 30}),
            )
            .await;
        assert_eq!(told["state"], "received", "{told}");
    }

    pub(super) fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wallet in order. What its connections still wait for is lost: the end would wait
    /// for it.
    pub(super) async fn close(&mut self) {
        self.mints.iter().for_each(|(_, proxy)| proxy.cut());
        let next = self.unopened();
        let closed = std::mem::replace(&mut self.agent, next);
        closed.close().await;
    }

    /// Opens the wallet anew. What read the file at the end of the one before may hold it for
    /// another moment.
    pub(super) async fn open(&mut self) {
        for _ in 0..500 {
            self.agent = self.unopened();
            match self.agent.call("get_balance", serde_json::json!({})).await {
                Err(error) if error.code == Code::WalletBusy => {
                    tokio::time::sleep(Duration::from_millis(10)).await
                }
                told => return assert!(told.is_ok(), "the wallet does not open: {told:?}"),
            }
        }
        panic!("the wallet's file stays taken");
    }

    fn unopened(&self) -> Agent {
        Agent::at(Arc::clone(&self.home), clock_of(self.lane))
    }

    /// Lets the wallet's clock jump, at the beginning of a second: mints write down whole seconds,
    /// and what they did before the jump and after it must not share one.
    pub(super) async fn jump(&mut self, seconds: i64) {
        let before = clock::now();
        while clock::now() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let offset = OFFSETS[self.lane].fetch_add(seconds, Ordering::SeqCst) + seconds;
        self.jumps.push((clock::now(), offset));
    }

    /// The wallet's clock at a true time.
    pub(super) fn by_its_clock(&self, at: u64) -> u64 {
        let offset = self
            .jumps
            .iter()
            .rev()
            .find(|(since, _)| *since <= at)
            .map_or(0, |(_, offset)| *offset);
        at.saturating_add_signed(offset)
    }
}
