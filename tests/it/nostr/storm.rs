//! Two devices of one key that pay at once, with kills and a relay that loses every tenth event:
//! nothing is lost, nothing is paid twice, and after two syncs both see the same.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use testbed::{Payee, Relay, TestMint};
use tokio::time::sleep;

use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Child, Home, fund, holdings, mint, number, sats};

/// Rounds of a usual test run; in each, both pay.
const ROUNDS: u64 = 20;

/// One device: a process of its own, started again after a kill.
struct Device {
    name: &'static str,
    home: Arc<Home>,
    child: Option<Child>,
    killed: u32,
}

impl Device {
    async fn child(&mut self) -> &Child {
        if self.child.is_none() {
            self.child = Some(Child::alone(&self.home).await);
        }
        self.child.as_ref().unwrap()
    }

    /// Calls a tool; perhaps the process is killed meanwhile.
    async fn call(
        &mut self,
        tool: &'static str,
        arguments: Value,
        kill_after: Option<Duration>,
    ) -> Option<Value> {
        let child = self.child().await;
        let Some(after) = kill_after else { return child.call(tool, arguments).await };
        let killer = child.killer();
        let (answer, ()) = tokio::join!(child.call(tool, arguments), async {
            sleep(after).await;
            killer();
        });
        self.child.take().unwrap().gone().await;
        self.killed += 1;
        answer
    }
}

/// What a round does with one device.
#[derive(Clone, Copy)]
struct Chance {
    sats: u64,
    kill_after: Option<Duration>,
    sync_first: bool,
    sync_after: bool,
    wait: Duration,
}

fn draw(random: &mut StdRng) -> Chance {
    Chance {
        sats: random.random_range(1..=20),
        kill_after: random
            .random_bool(0.12)
            .then(|| Duration::from_millis(random.random_range(0..60))),
        sync_first: random.random_bool(0.25),
        sync_after: random.random_bool(0.25),
        wait: Duration::from_millis(random.random_range(0..15)),
    }
}

/// One device's part of a round. What it was answered.
async fn play(device: &mut Device, shop: &Payee, round: u64, chance: Chance) -> String {
    sleep(chance.wait).await;
    if chance.sync_first {
        device.call("sync", json!({}), None).await;
    }
    let to = shop.invoice(chance.sats, &format!("{} {round}", device.name)).unwrap().to_string();
    let answer = device.call("pay", json!({"to": to}), chance.kill_after).await;
    if chance.sync_after && device.child.is_some() {
        device.call("sync", json!({}), None).await;
    }
    match answer {
        None => "killed".to_owned(),
        Some(answer) if answer["error"].is_string() => answer["error"].as_str().unwrap().to_owned(),
        Some(answer) => answer["state"].as_str().unwrap().to_owned(),
    }
}

/// Waits until nothing of a device is open.
async fn at_rest(agent: &Agent) {
    for _ in 0..60 {
        let history = agent.ok("list_history", json!({"kind": "payment", "limit": 500})).await;
        let open = history["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["state"] == "pending")
            .count();
        if open == 0 && holdings(agent).await.pending == 0 {
            return;
        }
        sleep(Duration::from_millis(500)).await;
    }
    let history = agent.ok("list_history", json!({"kind": "payment", "limit": 500})).await;
    let open: Vec<&Value> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["state"] == "pending")
        .collect();
    println!("something stays open: {:?}; {open:?}", holdings(agent).await);
    let home = agent.clone().close().await;
    let store =
        nutpurse::testing::store::Store::open(home.path().join("wallet.redb"), || 1_800_000_000)
            .await
            .unwrap();
    println!(
        "payments {:?}; operations {:?}",
        store.open_payments().await.unwrap(),
        store.operations().await.unwrap()
    );
    for coin in store.proofs_in(None).await.unwrap() {
        println!("{} {:?} used by {:?}", coin.proof.amount, coin.state, coin.used_by_operation);
    }
    panic!("something stays open");
}

async fn judge(lightning_paid: u64, mint: &TestMint, devices: [Device; 2]) {
    let mut agents = Vec::new();
    for device in devices {
        if let Some(child) = device.child {
            child.killer()();
            child.gone().await;
        }
        agents.push(Agent::two_minutes_later(device.home));
    }
    let [a, b] = agents.try_into().unwrap();
    sync(&a).await;
    sync(&b).await;
    at_rest(&a).await;
    at_rest(&b).await;
    for _ in 0..2 {
        sync(&a).await;
        sync(&b).await;
    }
    let (told_a, told_b) = (sync(&a).await, sync(&b).await);
    let owed = mint.auditor().outstanding().unwrap();
    let (a_sees, b_sees) = (spendable(&a).await, spendable(&b).await);
    println!("A sees {a_sees}, B sees {b_sees}, the mint owes {owed}; A: {told_a}; B: {told_b}");
    if (a_sees, b_sees) != (owed, owed) {
        let spent = mint.auditor().spent().unwrap();
        dump("A", a, &spent, mint).await;
        dump("B", b, &spent, mint).await;
        panic!("A sees {a_sees}, B sees {b_sees}, the mint owes {owed}");
    }
    let mut out = 0;
    for agent in [&a, &b] {
        let history = agent.ok("list_history", json!({"kind": "payment", "limit": 500})).await;
        let settled = history["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["state"] == "settled");
        out += settled.map(|entry| sats(entry, "amount_sats")).sum::<u64>();
    }
    assert_eq!(out, lightning_paid, "what the wallets call paid is what arrived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_that_pay_at_once_lose_nothing_and_agree_after_two_syncs() {
    let seed = number("NUTPURSE_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let rounds = number("NUTPURSE_RUNS").unwrap_or(ROUNDS);
    println!("NUTPURSE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (lightning, mint) = mint().await;
    let shop = lightning.payee("shop");
    let relay = Relay::start().await.unwrap();
    relay.rule(|rule| rule.lose_every = Some(10));
    let (a, b) = (device(&mint, &[relay.url()], KEY), device(&mint, &[relay.url()], KEY));
    // Only A receives: whatever B pays it first takes from what A holds, while A pays.
    fund(&a, 24 * rounds).await;
    sync(&a).await;
    sync(&b).await;
    let mut a = Device { name: "A", home: a.close().await, child: None, killed: 0 };
    let mut b = Device { name: "B", home: b.close().await, child: None, killed: 0 };
    let mut told: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for round in 0..rounds {
        let (of_a, of_b) = (draw(&mut random), draw(&mut random));
        let (said_a, said_b) =
            tokio::join!(play(&mut a, &shop, round, of_a), play(&mut b, &shop, round, of_b));
        for said in [said_a, said_b] {
            *told.entry(said).or_default() += 1;
        }
    }
    println!("{rounds} rounds, {} and {} kills: {told:?}", a.killed, b.killed);
    judge(shop.received(), &mint, [a, b]).await;
}

async fn dump(
    name: &str,
    agent: Agent,
    spent: &std::collections::BTreeSet<String>,
    mint: &TestMint,
) {
    let home = agent.close().await;
    let store =
        nutpurse::testing::store::Store::open(home.path().join("wallet.redb"), || 1_800_000_000)
            .await
            .unwrap();
    let coins = store.proofs_in(None).await.unwrap();
    let live = store.live_token_events().await.unwrap();
    for coin in coins {
        let y = coin.y.to_string();
        let holders: Vec<_> = live
            .iter()
            .filter(|event| event.ys.contains(&coin.y))
            .map(|event| event.id[..8].to_owned())
            .collect();
        if spent.contains(&y) {
            println!(
                "{name}: {} {} {:?} spent at the mint; live events {holders:?}",
                coin.proof.amount,
                &y[..10],
                coin.state
            );
        }
    }
    for (y, proof) in store
        .remote_proofs(mint.url(), vec![nutpurse::testing::store::RemoteProofState::Unspent])
        .await
        .unwrap()
    {
        if spent.contains(&y.to_string()) {
            let holders: Vec<_> = live
                .iter()
                .filter(|event| event.ys.contains(&y))
                .map(|event| event.id[..8].to_owned())
                .collect();
            println!(
                "{name}: foreign {} {} spent at the mint; live events {holders:?}",
                proof.amount,
                &y.to_string()[..10]
            );
        }
    }
    println!(
        "{name}: doubted {:?}; live {:?}",
        store.unverified_proofs(mint.url()).await.unwrap().len(),
        live.iter().map(|event| &event.id[..8]).collect::<Vec<_>>()
    );
}
