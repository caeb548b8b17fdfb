//! A lane: one mint behind a proxy, where cells of a table are tried one after the other. Several
//! lanes work at once.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::Client;
use testbed::{Lightning, Moment, Nutshell, Proxy, Rule, TestMint};
use tokio::sync::OnceCell;

use crate::world::{Agent, fund, holdings, mint};

/// How long an operation may stay open before a test fails. The wallet waits up to 30 s before it
/// asks a mint again that answered 429.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// What the friend of each lane has to give away.
const PURSE: u64 = 90_000;

/// What a client is told instead of the mint's answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// A status and a body. An empty body becomes a page.
    Answer(u16, &'static str),
    /// The connection ends.
    Reset,
}

impl Told {
    /// Each of them.
    pub(super) const ALL: &'static [Self] = &[
        Self::Answer(200, "garbage"),
        Self::Answer(200, "{}"),
        Self::Answer(204, ""),
        Self::Answer(302, ""),
        Self::Answer(400, ""),
        Self::Answer(400, r#"{"code": 999, "detail": "no code of the list"}"#),
        Self::Answer(400, r#"{"detail": "no code at all"}"#),
        Self::Answer(400, r#"{"code": 11001, "detail": "token already spent"}"#),
        Self::Answer(400, r#"{"code": 20002, "detail": "already issued"}"#),
        Self::Answer(400, r#"{"code": 20004, "detail": "the payment failed"}"#),
        Self::Answer(403, ""),
        Self::Answer(404, ""),
        Self::Answer(409, ""),
        Self::Answer(425, ""),
        Self::Answer(429, "busy"),
        Self::Answer(500, ""),
        Self::Answer(502, "<html>bad gateway</html>"),
        Self::Answer(503, ""),
        Self::Reset,
    ];

    /// The rule that tells it, of a request that the mint carries out first, or never gets.
    pub(super) fn instead(self, method: &str, path: &str, carried_out: bool) -> Rule {
        match (self, carried_out) {
            (Self::Answer(status, body), true) => {
                Rule::answer(method, path, Moment::StatusAfterMint, status, body.as_bytes())
            }
            (Self::Answer(status, body), false) => {
                Rule::answer(method, path, Moment::Status, status, body.as_bytes())
            }
            (Self::Reset, true) => Rule::new(method, path, Moment::AfterMint),
            (Self::Reset, false) => Rule::new(method, path, Moment::BeforeRequest),
        }
    }
}

/// A mint with its books.
#[derive(Debug)]
enum Mint {
    Cdk(Box<TestMint>),
    Nutshell(Nutshell),
}

/// A mint, a proxy before it, and a friend with money.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) lightning: Lightning,
    mint: Mint,
    pub(super) proxy: Arc<Proxy>,
    pub(super) friend: Agent,
    given: AtomicUsize,
    /// A wallet that is gone: its words and its sats.
    pub(super) lost: OnceCell<(String, u64)>,
}

impl Lane {
    /// So many lanes at mints of the bench.
    pub(super) async fn at_cdk(count: usize) -> Vec<Self> {
        let each = (0..count).map(|_| async {
            let (lightning, mint) = mint().await;
            Self::before(lightning, Mint::Cdk(Box::new(mint))).await
        });
        join_all(each).await
    }

    /// So many lanes at Nutshells, each a process of this program.
    pub(super) async fn at_nutshell(count: usize, program: &Path) -> Vec<Self> {
        let each = (0..count).map(|_| async {
            let nutshell = Nutshell::start(program).await.unwrap();
            Self::before(Lightning::new(), Mint::Nutshell(nutshell)).await
        });
        join_all(each).await
    }

    async fn before(lightning: Lightning, mint: Mint) -> Self {
        let url = match &mint {
            Mint::Cdk(mint) => mint.url(),
            Mint::Nutshell(mint) => mint.url(),
        };
        let proxy = Arc::new(Proxy::start(&url).await.unwrap());
        let friend = Agent::new([proxy.url()]);
        fund(&friend, PURSE).await;
        Self { lightning, mint, proxy, friend, given: AtomicUsize::new(0), lost: OnceCell::new() }
    }

    fn owed(&self) -> u64 {
        match &self.mint {
            Mint::Cdk(mint) => mint.auditor().outstanding(),
            Mint::Nutshell(mint) => mint.outstanding(),
        }
        .unwrap()
    }

    /// The mint has paid this invoice, by its books.
    pub(super) fn has_paid(&self, hash: &str) -> bool {
        match &self.mint {
            Mint::Cdk(mint) => {
                mint.auditor().paid().unwrap().iter().any(|melt| melt.payment_hash == hash)
            }
            Mint::Nutshell(mint) => mint.paid().unwrap().iter().any(|(paid, _)| paid == hash),
        }
    }

    /// The friend makes a token.
    pub(super) async fn gift(&self, sats: u64) -> Value {
        // Two alike would look like the same one made again.
        let memo = format!("gift {}", self.given.fetch_add(1, Ordering::Relaxed));
        self.friend.ok("send_token", json!({"amount_sats": sats, "memo": memo})).await
    }

    /// A new wallet with so many sats in large coins, so that a token takes a swap.
    pub(super) async fn scene(&self, sats: u64) -> Scene<'_> {
        self.proxy.clear();
        self.proxy.stop_rewriting();
        self.friend.look_at_tokens().await.unwrap();
        let elsewhere = self.owed() - holdings(&self.friend).await.all();
        let agent = Agent::new([self.proxy.url()]);
        agent.ok("receive_token", json!({"token": self.gift(sats).await["token"]})).await;
        let before = holdings(&agent).await.spendable;
        Scene { lane: self, agent, elsewhere, before }
    }
}

/// Tries every cell of a table, as many at once as there are lanes, and prints what came of them. A
/// cell says in some words how it ended. Gives the number of cells.
pub(super) async fn tried<C: Copy + Debug>(
    what: &str,
    lanes: &[Lane],
    cells: Vec<C>,
    cell: impl AsyncFn(&Lane, C) -> String,
) -> usize {
    let (begun, waiting) = (Instant::now(), Mutex::new(VecDeque::from(cells)));
    let (ends, failed) = (Mutex::new(BTreeMap::<String, usize>::new()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap().pop_front();
    let work = lanes.iter().map(async |lane| {
        while let Some(this) = next() {
            match AssertUnwindSafe(cell(lane, this)).catch_unwind().await {
                Ok(end) => *ends.lock().unwrap().entry(end).or_default() += 1,
                Err(_) => failed.lock().unwrap().push(this),
            }
        }
    });
    join_all(work).await;
    let (ends, failed) = (ends.into_inner().unwrap(), failed.into_inner().unwrap());
    assert!(failed.is_empty(), "{what}: {} cells failed: {failed:?}", failed.len());
    let shown: Vec<String> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    let (count, took) = (ends.values().sum::<usize>(), begun.elapsed());
    println!("ok {what}: {count} cells: conserved ({}), {took:.1?}", shown.join(", "));
    count
}

/// A wallet of its own for one cell.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) lane: &'a Lane,
    pub(super) agent: Agent,
    /// What the mint owes to wallets that are not looked at.
    elsewhere: u64,
    /// What could be spent at the beginning.
    pub(super) before: u64,
}

impl Scene<'_> {
    /// The wallet again, more than a minute later, when a dead payment's coins are swapped away.
    pub(super) async fn later(self) -> Self {
        self.by(|| clock::now() + 120).await
    }

    /// The wallet again, by another clock.
    pub(super) async fn by(self, clock: fn() -> u64) -> Self {
        let home = self.agent.close().await;
        Self { agent: Agent::at(home, clock), ..self }
    }

    /// What the wallets hold, by state, is what the mint owes.
    pub(super) async fn conserved(&self, what: &str) {
        for agent in [&self.agent, &self.lane.friend] {
            agent.look_at_tokens().await.unwrap();
        }
        let (ours, theirs) = (holdings(&self.agent).await, holdings(&self.lane.friend).await);
        let owed = self.lane.owed() - self.elsewhere;
        assert_eq!(
            ours.all() + theirs.all(),
            owed,
            "{what}: {ours:?}, {theirs:?}; the mint owes {owed}"
        );
    }

    /// Asks for what has this name until it is decided.
    pub(super) async fn ended(&self, name: &Value, what: &str) -> Value {
        let mut asked = name.clone();
        // Each call makes the wallet ask at once.
        asked["wait_seconds"] = json!(1);
        let tool = if name.get("deposit_id").is_some() { "get_deposit" } else { "get_payment" };
        for _ in 0..LONGEST.as_secs() {
            let shown = self.agent.ok(tool, asked.clone()).await;
            let state = shown["state"].as_str().unwrap();
            if shown["final"] == true
                || state == "received"
                || state == "settled" && shown["kind"] == "token_sent"
            {
                return shown;
            }
        }
        panic!("{what}: it does not end")
    }

    /// Stops the wallet, which would ask about its unclaimed tokens for ever.
    pub(super) async fn end(self) {
        self.agent.close().await;
    }

    /// Waits until nothing is under way in the wallet.
    pub(super) async fn quiet(&self, what: &str) {
        let wallet = self.agent.wallet().await;
        let mut changes = wallet.changes();
        let end = tokio::time::Instant::now() + LONGEST;
        while wallet.recovery().has_open().await {
            // Not all that ends is told as a change of money, so the wallet is asked again after a
            // second, as its process does.
            let _told = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
            assert!(tokio::time::Instant::now() < end, "{what}: something stays open");
        }
    }
}
