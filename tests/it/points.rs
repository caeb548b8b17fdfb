//! Every commit of the store as the last one: of each verb, and of the recovery after it. What a
//! wallet that stood still there leaves behind is ended at the next start, and no coin is lost or
//! spent twice.
//!
//! Each point is tried twice: with what was not synced gone, and with all of it there.
//! `NUTPURSE_POINTS=all` tries every pair of a point and a point of the recovery after it.

use std::sync::Arc;

use nutpurse::testing::store::Failpoint;
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::{Client, Holdings};
use testbed::{Lightning, Payee, TestMint};

use crate::world::{Agent, Home, fund, holdings, mint, sats};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Deposit,
    Pay,
    SendExact,
    SendSwapped,
    SendLocked,
    Receive,
    Reclaim,
}

/// What a verb is called with, made beforehand.
struct Call {
    tool: &'static str,
    arguments: Value,
    /// The payment hash of a pay.
    hash: Option<String>,
}

struct Scene {
    verb: Verb,
    lightning: Lightning,
    shop: Payee,
    mint: TestMint,
    friend: Agent,
    /// What the wallets of earlier points hold: they are closed, and it is theirs.
    elsewhere: u64,
    points: usize,
}

/// How a call under a plan ended.
enum End {
    StoodStill,
    Done,
}

impl Scene {
    async fn of(verb: Verb) -> Self {
        let (lightning, mint) = mint().await;
        let friend = Agent::new([mint.url()]);
        fund(&friend, 20_000).await;
        let shop = lightning.payee("shop");
        Self { verb, lightning, shop, mint, friend, elsewhere: 0, points: 0 }
    }

    /// A wallet with 200 sats, closed, and what it will be asked.
    async fn prepare(&self) -> (Arc<Home>, Call) {
        let agent = Agent::new([self.mint.url()]);
        fund(&agent, 200).await;
        let call = |tool, arguments| Call { tool, arguments, hash: None };
        let call = match self.verb {
            Verb::Deposit => call("deposit", json!({"amount_sats": 100, "idempotency_key": "k"})),
            Verb::Pay => {
                let invoice = self.shop.invoice(50, "once").unwrap();
                let hash = Some(invoice.payment_hash().to_string());
                Call {
                    hash,
                    ..call("pay", json!({"to": invoice.to_string(), "idempotency_key": "k"}))
                }
            }
            Verb::SendExact => {
                call("send_token", json!({"amount_sats": 200, "idempotency_key": "k"}))
            }
            Verb::SendSwapped => {
                call("send_token", json!({"amount_sats": 21, "idempotency_key": "k"}))
            }
            Verb::SendLocked => {
                let key = cdk_common::nuts::SecretKey::generate().public_key().to_hex();
                call(
                    "send_token",
                    json!({"amount_sats": 21, "lock_to": key, "idempotency_key": "k"}),
                )
            }
            Verb::Receive => {
                let token = self
                    .friend
                    .ok(
                        "send_token",
                        json!({"amount_sats": 40, "memo": self.elsewhere.to_string()}),
                    )
                    .await;
                call("receive_token", json!({"token": token["token"]}))
            }
            Verb::Reclaim => {
                let token = agent.ok("send_token", json!({"amount_sats": 21})).await;
                call("reclaim_token", json!({"payment_id": token["payment_id"]}))
            }
        };
        (agent.close().await, call)
    }

    /// Calls the verb of an open wallet.
    async fn call(&self, agent: &Agent, call: &Call) {
        let answer = agent.call(call.tool, call.arguments.clone()).await;
        if let (Verb::Deposit, Ok(deposit)) = (self.verb, answer) {
            agent.deposit_within(&deposit["deposit_id"], 30).await;
        }
    }

    /// Calls the verb and stands still after the `point`-th commit.
    async fn cut(&self, home: &Arc<Home>, call: &Call, point: u64, durable: bool) -> End {
        let failpoint = Failpoint::default();
        let agent = Agent::with_failpoint(Arc::clone(home), clock::now, &failpoint);
        agent.ok("get_balance", json!({})).await;
        failpoint.after(point, durable);
        tokio::select! {
            biased;
            () = failpoint.reached() => End::StoodStill,
            () = self.call(&agent, call) => {
                agent.close().await;
                End::Done
            }
        }
    }

    /// Recovers, and stands still after the `point`-th commit of that.
    async fn cut_recovery(&self, home: &Arc<Home>, point: u64, durable: bool) -> End {
        let failpoint = Failpoint::default();
        failpoint.after(point, durable);
        let agent = Agent::with_failpoint(Arc::clone(home), || clock::now() + 120, &failpoint);
        tokio::select! {
            biased;
            () = failpoint.reached() => End::StoodStill,
            () = self.quiet(&agent) => {
                agent.close().await;
                End::Done
            }
        }
    }

    /// Waits until the wallet has ended what was open.
    async fn quiet(&self, agent: &Agent) {
        let mut asked = false;
        for _ in 0..60 {
            let history = agent.ok("list_history", json!({"limit": 100})).await;
            // A token that is being taken back is settled until it is back.
            let back = |entry: &Value| self.verb == Verb::Reclaim && entry["kind"] == "token_sent";
            let open = |entry: &&Value| {
                back(entry)
                    || !matches!(
                        entry["state"].as_str().unwrap(),
                        "settled" | "failed" | "returned" | "received" | "expired"
                    )
            };
            let open: Vec<_> = history["entries"].as_array().unwrap().iter().filter(open).collect();
            if open.iter().all(|entry| back(entry)) && holdings(agent).await.pending == 0 && asked {
                return;
            }
            for entry in open {
                let (tool, id) = if entry["kind"] == "deposit" {
                    ("get_deposit", "deposit_id")
                } else {
                    ("get_payment", "payment_id")
                };
                agent.ok(tool, json!({id: entry["id"], "wait_seconds": 2})).await;
            }
            asked = true;
            let mut changes = agent.wallet().await.changes();
            let _news =
                tokio::time::timeout(std::time::Duration::from_millis(50), changes.changed()).await;
        }
        panic!(
            "it does not come to rest: {}",
            agent.ok("list_history", json!({"limit": 100})).await
        );
    }

    /// What must hold after whatever happened to the wallet of this home.
    async fn judge(&mut self, what: &str, home: Arc<Home>, call: &Call) {
        self.points += 1;
        let agent = Agent::at(home, || clock::now() + 240);
        self.quiet(&agent).await;
        self.conserved(what, &agent).await;
        match self.verb {
            Verb::Pay => {
                let hash = call.hash.clone().unwrap();
                let paid = |melts: Vec<testbed::Melt>| {
                    melts
                        .iter()
                        .filter(|melt| melt.payment_hash == hash && melt.state == "PAID")
                        .count()
                };
                let told = agent.call("get_payment", json!({"payment_hash": hash})).await;
                let settled = told.is_ok_and(|payment| payment["state"] == "settled");
                assert_eq!(
                    paid(self.mint.auditor().melts().unwrap()),
                    usize::from(settled),
                    "{what}"
                );
                assert_eq!(
                    agent.ok(call.tool, call.arguments.clone()).await["state"],
                    "settled",
                    "{what}"
                );
                assert_eq!(paid(self.mint.auditor().melts().unwrap()), 1, "{what}");
            }
            Verb::SendExact | Verb::SendSwapped | Verb::SendLocked => {
                let token = agent.ok(call.tool, call.arguments.clone()).await;
                assert_eq!(token["state"], "settled", "{what}: {token}");
                if self.verb != Verb::SendLocked {
                    self.friend.ok("receive_token", json!({"token": token["token"]})).await;
                    let claimed = agent.payment(&token["payment_id"]).await;
                    assert_eq!(claimed["claimed"], true, "{what}: {claimed}");
                }
            }
            Verb::Receive => {
                let answer = agent.ok(call.tool, call.arguments.clone()).await;
                assert_eq!(answer["state"], "received", "{what}: {answer}");
            }
            Verb::Reclaim => {
                let answer = agent.ok(call.tool, call.arguments.clone()).await;
                assert_eq!(answer["state"], "returned", "{what}: {answer}");
            }
            Verb::Deposit => {}
        }
        if self.verb != Verb::SendExact {
            let invoice =
                self.lightning.payee("after").invoice(3, "after all").unwrap().to_string();
            assert_eq!(agent.ok("pay", json!({"to": invoice})).await["state"], "settled", "{what}");
        }
        self.elsewhere += self.conserved(what, &agent).await;
        agent.close().await;
    }

    /// The law, over this wallet, the friend's, and those of earlier points. Returns what this
    /// wallet holds.
    async fn conserved(&self, what: &str, agent: &Agent) -> u64 {
        self.friend.look_at_tokens().await.unwrap();
        let (ours, friends) = (holdings(agent).await, holdings(&self.friend).await);
        let [ours_in_all, friends_in_all] = [ours, friends].map(Holdings::all);
        let owed = self.mint.auditor().outstanding().unwrap();
        assert_eq!(
            ours_in_all + friends_in_all + self.elsewhere,
            owed,
            "{what}: {ours:?} {friends:?} and {} elsewhere",
            self.elsewhere
        );
        ours_in_all
    }
}

/// Every point of the verb; and after every `stride`-th of them every point of the recovery.
async fn every_point(verb: Verb, stride: u64) {
    let all = std::env::var("NUTPURSE_POINTS").is_ok_and(|points| points == "all");
    let stride = if all { 1 } else { stride };
    let mut scene = Scene::of(verb).await;
    for durable in [false, true] {
        for point in 1.. {
            let what = format!("{verb:?}, commit {point}, durable {durable}");
            let (home, call) = scene.prepare().await;
            let end = scene.cut(&home, &call, point, durable).await;
            scene.judge(&what, home, &call).await;
            if matches!(end, End::Done) {
                assert!(point > 2, "{what}: there was hardly a commit");
                break;
            }
            if point % stride != 0 {
                continue;
            }
            for second in 1.. {
                let what = format!("{what}, then commit {second} of the recovery");
                let (home, call) = scene.prepare().await;
                scene.cut(&home, &call, point, durable).await;
                let end = scene.cut_recovery(&home, second, durable).await;
                scene.judge(&what, home, &call).await;
                if matches!(end, End::Done) {
                    break;
                }
            }
        }
    }
    println!(
        "{verb:?}: {} points tried, {} survived; {} sats",
        scene.points,
        scene.points,
        sats(&json!({"e": scene.elsewhere}), "e")
    );
}

#[tokio::test]
async fn a_deposit_survives_a_stop_after_every_commit() {
    every_point(Verb::Deposit, 5).await;
}

#[tokio::test]
async fn a_payment_survives_a_stop_after_every_commit() {
    every_point(Verb::Pay, 5).await;
}

#[tokio::test]
async fn a_token_made_of_coins_as_they_are_survives_a_stop_after_every_commit() {
    every_point(Verb::SendExact, 2).await;
}

#[tokio::test]
async fn a_token_made_by_a_swap_survives_a_stop_after_every_commit() {
    every_point(Verb::SendSwapped, 2).await;
}

#[tokio::test]
async fn a_locked_token_survives_a_stop_after_every_commit() {
    every_point(Verb::SendLocked, 2).await;
}

#[tokio::test]
async fn a_token_taken_in_survives_a_stop_after_every_commit() {
    every_point(Verb::Receive, 2).await;
}

#[tokio::test]
async fn a_token_taken_back_survives_a_stop_after_every_commit() {
    every_point(Verb::Reclaim, 2).await;
}
