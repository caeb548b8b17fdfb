//! Mints without NUT-07, NUT-08 or NUT-09: nothing is decided by a question that they do not serve,
//! and nothing is lost.

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use testbed::{Behaviour, Lightning, Moment, Proxy, Rule, TestMint};

use super::listed;
use crate::world::{Agent, conserved, fund, holdings, mint, sats};

const STATES: &str = "/v1/checkstate";
const RESTORE: &str = "/v1/restore";
const MINT: &str = "/v1/mint/bolt11";
const SWAP: &str = "/v1/swap";
const MELT: &str = "/v1/melt/bolt11";
/// Cells that are tried at once.
const BESIDE: usize = 4;
const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Deposit,
    Receive,
    Send,
    Pay,
}

impl Verb {
    fn path(self) -> &'static str {
        match self {
            Self::Deposit => MINT,
            Self::Receive | Self::Send => SWAP,
            Self::Pay => MELT,
        }
    }
}

/// What becomes of the request that moves money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    /// With 12002, or by Lightning.
    Refused,
    LostBefore,
    LostAfter,
}

struct Scene {
    lightning: Lightning,
    mint: TestMint,
    proxy: Proxy,
    agent: Agent,
    friend: Agent,
}

impl Scene {
    async fn new() -> Self {
        let (lightning, mint) = mint().await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let (agent, friend) = (Agent::new([proxy.url()]), Agent::new([proxy.url()]));
        fund(&friend, 1_000).await;
        // What is received lies there in large coins: a token takes a swap.
        let token = friend.ok("send_token", json!({"amount_sats": 600})).await["token"].clone();
        agent.ok("receive_token", json!({"token": token})).await;
        Self { lightning, mint, proxy, agent, friend }
    }

    fn without(&self, paths: &[&str]) {
        for path in paths {
            let _every = self.proxy.fail(Rule::new("POST", path, Moment::Status(404)).every());
        }
    }

    async fn later(self) -> Self {
        let home = self.agent.close().await;
        Self { agent: Agent::two_minutes_later(home), ..self }
    }

    /// Waits until nothing is under way in the wallet.
    async fn quiet(&self, what: &str) {
        let wallet = self.agent.wallet().await;
        let mut changes = wallet.changes();
        let end = tokio::time::Instant::now() + LONGEST;
        while wallet.recovery().has_open().await {
            let left = tokio::time::timeout_at(end, changes.changed()).await;
            left.unwrap_or_else(|_| panic!("{what}: something stays open")).unwrap();
        }
    }

    async fn conserved(&self, what: &str) {
        for agent in [&self.agent, &self.friend] {
            let sent = agent.ok("list_history", json!({"kind": "token_sent", "limit": 100})).await;
            for token in sent["entries"].as_array().unwrap() {
                agent.payment(&token["id"]).await;
            }
        }
        conserved(what, &self.mint.auditor(), &[&self.agent, &self.friend]).await;
    }
}

async fn cell(lacks: &[&str], verb: Verb, fate: Fate) {
    let what = format!("without {lacks:?}, {verb:?}, {fate:?}");
    let scene = Scene::new().await;
    let before = holdings(&scene.agent).await.spendable;
    let token = match verb {
        Verb::Receive => {
            scene.friend.ok("send_token", json!({"amount_sats": 32})).await["token"].clone()
        }
        _ => Value::Null,
    };
    let invoice = scene.lightning.payee("shop").invoice(50, "once").unwrap();
    scene.without(lacks);
    let rule = match (fate, verb) {
        (Fate::Well, _) => None,
        (Fate::Refused, Verb::Pay) => {
            scene.lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Fail);
            None
        }
        (Fate::Refused, _) => Some(Moment::Refuse(12_002)),
        (Fate::LostBefore, _) => Some(Moment::BeforeRequest),
        (Fate::LostAfter, _) => Some(Moment::AfterMint),
    };
    let rule = rule.map(|at| scene.proxy.fail(Rule::new("POST", verb.path(), at)));
    let told = match verb {
        Verb::Deposit => {
            let deposit = scene.agent.ok("deposit", json!({"amount_sats": 64})).await;
            scene
                .agent
                .call(
                    "get_deposit",
                    json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 5}),
                )
                .await
        }
        Verb::Receive => scene.agent.call("receive_token", json!({"token": token})).await,
        Verb::Send => scene.agent.call("send_token", json!({"amount_sats": 24})).await,
        Verb::Pay => scene.agent.call("pay", json!({"to": invoice.to_string()})).await,
    };
    if let Some(rule) = rule {
        tokio::time::timeout(LONGEST, scene.proxy.reached(rule))
            .await
            .unwrap_or_else(|_| panic!("{what}: nothing was asked"));
    }
    if fate == Fate::Well {
        let state = told.as_ref().unwrap()["state"].clone();
        assert!(["received", "settled"].contains(&state.as_str().unwrap()), "{what}: {told:?}");
    }
    let scene = scene.later().await;
    scene.quiet(&what).await;
    // Whether a token was claimed only the states of its coins tell.
    scene.proxy.clear();
    scene.conserved(&what).await;
    let held = holdings(&scene.agent).await;
    match (verb, fate) {
        (Verb::Deposit, _) => assert_eq!(held.spendable, before + 64, "{what}"),
        (Verb::Receive, _) => assert!(held.spendable > before + 28, "{what}: {held:?}"),
        (Verb::Pay, Fate::Refused | Fate::LostBefore) => {
            assert!(held.spendable >= before - 2, "{what}: {held:?}")
        }
        _ => {}
    }
    assert_eq!(held.pending, 0, "{what}: {held:?}");
}

async fn table(lacks: &[&str]) {
    let verbs = [Verb::Deposit, Verb::Receive, Verb::Send, Verb::Pay];
    let fates = [Fate::Well, Fate::Refused, Fate::LostBefore, Fate::LostAfter];
    let cells = verbs.into_iter().flat_map(|verb| fates.map(|fate| (verb, fate)));
    let tried = stream::iter(cells)
        .map(|(verb, fate)| cell(lacks, verb, fate))
        .buffer_unordered(BESIDE)
        .count()
        .await;
    println!("without {lacks:?}: {tried} cells");
}

#[tokio::test]
async fn without_states_of_coins_every_verb_comes_to_its_end() {
    table(&[STATES]).await;
}

#[tokio::test]
async fn without_signatures_given_again_every_verb_comes_to_its_end() {
    table(&[RESTORE]).await;
}

#[tokio::test]
async fn a_mint_that_serves_neither_question_decides_nothing_by_it() {
    let scene = Scene::new().await;
    scene.without(&[STATES, RESTORE]);
    let lost = scene.proxy.fail(Rule::new("POST", SWAP, Moment::AfterMint));
    let gone = scene.proxy.fail(Rule::new("POST", SWAP, Moment::Refuse(11_001)).every());
    let told = scene.agent.ok("send_token", json!({"amount_sats": 24})).await;
    assert_eq!((&told["state"], scene.proxy.fired(lost)), (&json!("pending"), 1), "{told}");
    let scene = scene.later().await;
    let again = scene.proxy.fired(gone);
    let mut changes = scene.agent.wallet().await.changes();
    scene.agent.payment_within(&told["payment_id"], 5).await;
    assert!(scene.proxy.fired(gone) > again, "the same request was made again");
    assert_eq!(scene.agent.payment(&told["payment_id"]).await["state"], "pending");
    assert_eq!(listed(&scene.agent).await["lacks"], json!(["NUT-07", "NUT-09"]));
    // What it has done shows as soon as it can be asked.
    scene.proxy.clear();
    let shown = scene.agent.ended(&told["payment_id"]).await;
    assert_eq!(shown["state"], "settled", "{shown}");
    changes.mark_unchanged();
    scene.conserved("asked at last").await;
    // The wallet sends the swap again and asks NUT-09. Where the swap is answered first, NUT-09 is
    // not asked, and stays unknown.
    let lacks = listed(&scene.agent).await["lacks"].clone();
    assert!(lacks.is_null() || lacks == json!(["NUT-09"]), "{lacks}");
}

/// The mint gives no change: it never hears of the outputs for it, and says that it has no NUT-08.
fn without_change(proxy: &Proxy) {
    proxy.rewrite_requests(|path, mut request| {
        if path == MELT {
            request.as_object_mut().unwrap().remove("outputs");
        }
        request
    });
    says_no_change(proxy);
}

fn says_no_change(proxy: &Proxy) {
    proxy.rewrite(|path, mut answer| {
        if path == "/v1/info" {
            answer["nuts"].as_object_mut().unwrap().remove("8");
        }
        answer
    });
}

/// Of each payment's request: what its inputs are worth, and how many there are.
fn inputs(proxy: &Proxy) -> Vec<(u64, u64)> {
    let melts =
        proxy.exchanges().into_iter().filter(|one| one.path == MELT && one.method == "POST");
    let inputs = melts.map(|one| one.request["inputs"].as_array().unwrap().clone());
    inputs
        .map(|inputs| (inputs.iter().map(|coin| sats(coin, "amount")).sum(), inputs.len() as u64))
        .collect()
}

#[tokio::test]
async fn at_a_mint_without_change_nothing_is_overpaid_beyond_its_reserve() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    without_change(&proxy);
    let agent = Agent::new([proxy.url()]);
    fund(&agent, 1_000).await;
    assert_eq!(listed(&agent).await["lacks"], json!(["NUT-08"]));
    let shop = lightning.payee("shop");
    for (number, amount) in [100, 1, 333, 57].into_iter().enumerate() {
        let told = agent
            .ok(
                "pay",
                json!({"to": shop.invoice(amount, &number.to_string()).unwrap().to_string()}),
            )
            .await;
        assert_eq!(told["state"], "settled", "{told}");
        let (worth, coins) = inputs(&proxy)[number];
        // The testbed's mint reserves two percent, one sat at least, and takes a tenth of a sat for
        // a coin.
        let needed = amount + (amount * 2 / 100).max(1) + (coins * 100).div_ceil(1_000);
        assert!((needed..=needed + 1).contains(&worth), "{amount}: {worth} for {needed}");
        conserved(&format!("{amount} paid"), &mint.auditor(), &[&agent]).await;
        let spent = sats(&told, "total_sats");
        assert!(spent <= worth + 1 && spent >= worth, "{told}: its coins were worth {worth}");
    }
    let most = sats(&agent.ok("get_balance", json!({})).await, "max_payment_sats");
    let told =
        agent.ok("pay", json!({"to": shop.invoice(most, "the most").unwrap().to_string()})).await;
    assert_eq!(told["state"], "settled", "{most}: {told}");
    conserved("the most paid", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn at_a_mint_without_change_a_refused_and_a_lost_payment_lose_nothing() {
    for (at, path) in [
        (Moment::BeforeRequest, SWAP),
        (Moment::AfterMint, SWAP),
        (Moment::AfterMint, MELT),
        (Moment::BeforeRequest, MELT),
    ] {
        let scene = Scene::new().await;
        without_change(&scene.proxy);
        scene.agent.wallet().await.refresh_mints().await;
        let what = format!("{path} {at:?}");
        let shop = scene.lightning.payee("shop");
        let refused = shop.invoice(40, "no way there").unwrap();
        scene.lightning.set_behaviour_of(refused.payment_hash(), Behaviour::Fail);
        scene.agent.refused("pay", json!({"to": refused.to_string()}), "route_not_found").await;
        scene.conserved(&format!("{what}: refused")).await;
        // More than there is in small coins, so that exact ones are made of a large one.
        let invoice = shop.invoice(300, "lost").unwrap().to_string();
        let rule = scene.proxy.fail(Rule::new("POST", path, at));
        let told = scene.agent.call("pay", json!({"to": invoice})).await;
        assert_eq!(scene.proxy.fired(rule), 1, "{what}");
        match (&told, path) {
            (Err(error), SWAP) => {
                assert_eq!(
                    (error.code.as_str(), error.money_moved),
                    ("mint_unreachable", nutpurse::testing::api::MoneyMoved::No)
                )
            }
            (Ok(told), MELT) => assert_eq!(told["state"], "pending", "{told}"),
            _ => panic!("{what}: {told:?}"),
        }
        let scene = scene.later().await;
        scene.quiet(&what).await;
        scene.conserved(&what).await;
        let told = scene.agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!(told["state"], "settled", "{what}: {told}");
        scene.conserved(&format!("{what}: paid")).await;
        assert_eq!(shop.received(), 300, "{what}");
    }
}

#[tokio::test]
async fn a_mint_that_gives_change_although_it_does_not_say_so_is_found_out() {
    let scene = Scene::new().await;
    let Scene { lightning, proxy, agent, .. } = &scene;
    says_no_change(proxy);
    agent.wallet().await.refresh_mints().await;
    let shop = lightning.payee("shop");
    let before = proxy.count(|one| one.path == SWAP);
    let mut swaps = Vec::new();
    for amount in [200, 100, 50] {
        let told = agent
            .ok("pay", json!({"to": shop.invoice(amount, "a thing").unwrap().to_string()}))
            .await;
        assert_eq!(told["state"], "settled", "{told}");
        let mut changes = agent.wallet().await.changes();
        while agent.wallet().await.recovery().has_open().await {
            tokio::time::timeout(LONGEST, changes.changed()).await.unwrap().unwrap();
        }
        swaps.push(proxy.count(|one| one.path == SWAP) - before);
    }
    assert_eq!(swaps, [1, 1, 1], "only the first payment was made exact");
    assert_eq!(listed(agent).await.get("lacks"), None);
    scene.conserved("three paid").await;
}
