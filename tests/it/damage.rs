//! A wallet's file that is damaged, gone, of another wallet or older than it was: said at once, and
//! led out of without a loss.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use testbed::TestMint;

use crate::world::{
    Agent, Failure, Home, binary, conserved, fund, funded, has, holdings, mint, sats,
};

fn file(home: &Home) -> PathBuf {
    home.path().join("wallet.redb")
}

fn names(home: &Home) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Turns every bit of the middle of the file over.
fn damage(home: &Home) -> Vec<u8> {
    let mut bytes = fs::read(file(home)).unwrap();
    let middle = bytes.len() / 2;
    bytes[4096..middle].iter_mut().for_each(|byte| *byte ^= 0xFF);
    fs::write(file(home), &bytes).unwrap();
    bytes
}

/// The wallet says that it is damaged, and what leads out of it, and changes nothing.
async fn says_damaged(home: &Arc<Home>, what: &str) -> Failure {
    let before = names(home);
    let agent = Agent::reopen(Arc::clone(home));
    let failure = agent.refused("get_balance", json!({}), "wallet_damaged").await;
    for (tool, arguments) in [
        ("pay", json!({"to": "lnbc1"})),
        ("deposit", json!({"amount_sats": 1})),
        ("list_history", json!({})),
    ] {
        agent.refused(tool, arguments, "wallet_damaged").await;
    }
    assert!(
        failure.next_step.contains("tell the user") && !failure.next_step.contains("nutpurse"),
        "{failure:?}"
    );
    assert_eq!(failure.details["a_person_runs"], "nutpurse restore", "{failure:?}");
    agent.close().await;
    assert_eq!(names(home), before, "{what}: nothing was made or taken away");
    println!("{what}: {} ({})", failure.message, failure.details["reason"]);
    failure
}

async fn restore(home: &Arc<Home>) -> String {
    let out = binary::done(home, &["restore"]);
    println!("{out}");
    out
}

/// A wallet that was opened twice, so that there is a copy, and has paid since.
async fn used(mint: &TestMint, lightning: &testbed::Lightning) -> Arc<Home> {
    let home = funded(mint, 500).await.close().await;
    let agent = Agent::reopen(home);
    let invoice = lightning.payee("shop").invoice(45, "since the copy").unwrap().to_string();
    agent.ok("pay", json!({"to": invoice})).await;
    fund(&agent, 80).await;
    agent.ok("send_token", json!({"amount_sats": 21})).await;
    agent.close().await
}

#[tokio::test]
async fn a_damaged_file_is_said_and_its_copy_and_the_mint_bring_all_back() {
    let (lightning, mint) = mint().await;
    let home = used(&mint, &lightning).await;
    let bytes = damage(&home);
    says_damaged(&home, "flipped").await;
    let out = restore(&home).await;
    assert!(out.contains("put back:") && out.contains("nothing can be spent before"), "{out}");
    let aside: Vec<_> =
        names(&home).into_iter().filter(|name| name.contains(".damaged-")).collect();
    assert_eq!(
        fs::read(home.path().join(&aside[0])).unwrap(),
        bytes,
        "the damaged file is kept as it is"
    );
    let agent = Agent::reopen(Arc::clone(&home));
    let sum = conserved("restored from a copy", &mint.auditor(), &[&agent]).await;
    assert_eq!((sum.pending, sum.unclaimed), (0, 0), "a token of the lost hours is ours again");
    let history = agent.ok("list_history", json!({})).await;
    assert!(!history["entries"].as_array().unwrap().is_empty(), "the copy's history is there");
    fund(&agent, 30).await;
    agent.close().await;
    let agent = Agent::a_day_later(home);
    assert_eq!(agent.ok("send_token", json!({"amount_sats": 10})).await["state"], "settled");
    conserved("used on", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_file_put_back_by_hand_shows_no_coin_that_is_spent() {
    let (lightning, mint) = mint().await;
    let home = funded(&mint, 500).await.close().await;
    let older = fs::read(file(&home)).unwrap();
    let agent = Agent::reopen(home);
    let shop = lightning.payee("shop");
    for sats in [45, 120] {
        agent.ok("pay", json!({"to": shop.invoice(sats, "lost").unwrap().to_string()})).await;
    }
    fund(&agent, 64).await;
    let home = agent.close().await;
    fs::write(file(&home), older).unwrap();

    mint.stop().await;
    let agent = Agent::reopen(home);
    let silent = holdings(&agent).await;
    assert_eq!(
        (silent.spendable, silent.pending),
        (0, 500),
        "nothing is spendable before the mint was asked"
    );
    agent.refused("deposit", json!({"amount_sats": 5}), "mint_unreachable").await;
    let home = agent.close().await;
    mint.resume().await.unwrap();

    let agent = Agent::reopen(home);
    let sum = conserved("rolled back", &mint.auditor(), &[&agent]).await;
    assert_eq!(sum.pending, 0);
    agent
        .refused("pay", json!({"to": shop.invoice(10, "full").unwrap().to_string()}), "over_budget")
        .await;
    fund(&agent, 7).await;
    let home = agent.close().await;
    let agent = Agent::a_day_later(home);
    // Every coin that is shown is good: all of it can leave.
    let all = holdings(&agent).await.spendable;
    let token = agent.ok("send_token", json!({"amount_sats": all - 5})).await;
    let taker = funded(&mint, 1).await;
    taker.ok("receive_token", json!({"token": token["token"]})).await;
    agent.payment(&token["payment_id"]).await;
    conserved("all of it was good", &mint.auditor(), &[&agent, &taker]).await;
}

#[tokio::test]
async fn a_file_that_is_gone_beside_its_keys_is_never_made_anew() {
    let (lightning, mint) = mint().await;
    for keep_copies in [true, false] {
        let home = used(&mint, &lightning).await;
        fs::remove_file(file(&home)).unwrap();
        if !keep_copies {
            fs::remove_file(home.path().join("wallet.redb.copy-1")).unwrap();
        }
        says_damaged(&home, "gone").await;
        let out = restore(&home).await;
        assert_eq!(out.contains("an empty store was made"), !keep_copies, "{out}");
        let agent = Agent::reopen(home);
        let held = holdings(&agent).await;
        assert!(held.spendable >= 500 && held.pending == 0, "{held:?}");
        let home = agent.close().await;
        // Only this wallet's name is left of it.
        for name in ["wallet.redb", "keys.toml", "wallet.redb.copy-1", "wallet.redb.copy-2"] {
            let _may_not_be_there = fs::remove_file(home.path().join(name));
        }
        says_damaged(&home, "only the name is left").await;
        let mut command = binary::binary(&home);
        command.arg("restore");
        let refused = binary::run(command, "");
        assert!(
            !refused.status.success()
                && String::from_utf8_lossy(&refused.stderr).contains("--words")
        );
    }
}

#[tokio::test]
async fn a_file_of_another_wallet_is_refused() {
    let (_lightning, mint) = mint().await;
    let (one, other) =
        (funded(&mint, 50).await.close().await, funded(&mint, 60).await.close().await);
    fs::copy(file(&one), file(&other)).unwrap();
    says_damaged(&other, "of another wallet").await;
    // The other wallet's copy would be no help either.
    let reopened = Agent::reopen(Arc::clone(&one));
    holdings(&reopened).await;
    reopened.close().await;
    fs::copy(one.path().join("wallet.redb.copy-1"), other.path().join("wallet.redb.copy-1"))
        .unwrap();
    let out = restore(&other).await;
    assert!(out.contains("an empty store was made"), "{out}");
    let agent = Agent::reopen(other);
    assert_eq!(holdings(&agent).await.spendable, 60);
}

#[tokio::test]
async fn what_is_no_wallet_file_is_said_so() {
    let (_lightning, mint) = mint().await;
    let home = funded(&mint, 40).await.close().await;
    let whole = fs::read(file(&home)).unwrap();
    let contents: [(&str, Vec<u8>); 4] = [
        ("empty", Vec::new()),
        ("foreign", b"SQLite format 3\0 and more than nine bytes".to_vec()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("of another format", [&whole[..64], &[0xFF; 1], &whole[65..]].concat()),
    ];
    for (what, content) in contents {
        fs::write(file(&home), &content).unwrap();
        says_damaged(&home, what).await;
        assert_eq!(fs::read(file(&home)).unwrap(), content, "{what}");
    }
    fs::write(file(&home), whole).unwrap();
    fs::write(home.path().join("wallet.id"), "rubbish").unwrap();
    says_damaged(&home, "a name that cannot be read").await;
    restore(&home).await;
    let agent = Agent::reopen(home);
    assert_eq!(conserved("whole again", &mint.auditor(), &[&agent]).await.spendable, 40);
}

#[tokio::test]
async fn a_home_without_a_name_gets_one() {
    let (_lightning, mint) = mint().await;
    let home = funded(&mint, 40).await.close().await;
    let said = |home: &Home| -> Value {
        let text = fs::read_to_string(home.path().join("wallet.id")).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once(" = "));
        Value::Object(
            pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').into())).collect(),
        )
    };
    let before = said(&home);
    has(&before, json!({"device": "0", "keys": "file"}));
    fs::remove_file(home.path().join("wallet.id")).unwrap();
    let agent = Agent::reopen(home);
    assert_eq!(sats(&agent.ok("get_balance", json!({})).await, "spendable_sats"), 40);
    let after = said(&agent.home());
    assert_eq!(after["wallet_id"], before["wallet_id"]);
    let number = |said: &Value| said["generation"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(number(&after) > number(&before));
}

/// A life that goes on after a snapshot of the wallet's file, at a mint behind a proxy.
struct Life {
    lightning: testbed::Lightning,
    mint: TestMint,
    proxy: testbed::Proxy,
    friend: Agent,
}

impl Life {
    async fn start() -> (Self, Agent) {
        let (lightning, mint) = mint().await;
        let proxy = testbed::Proxy::start(&mint.url()).await.unwrap();
        let [agent, friend] = [(); 2].map(|()| Home::at([proxy.url()]).unwrap());
        let (agent, friend) = (Agent::open(agent), Agent::open(friend));
        fund(&agent, 700).await;
        (Self { lightning, mint, proxy, friend }, agent)
    }

    /// The file as it is now is the wallet's file again, after `on` has gone on with it; the wallet
    /// that opens it.
    async fn forgotten(&self, agent: Agent, on: impl AsyncFnOnce(&Agent)) -> Agent {
        let home = agent.close().await;
        let older = fs::read(file(&home)).unwrap();
        let agent = Agent::two_minutes_later(home);
        on(&agent).await;
        let home = agent.close().await;
        fs::write(file(&home), older).unwrap();
        Agent::two_minutes_later(home)
    }

    /// What the wallet shows is what the mint owes it, and all that it shows as spendable can
    /// leave.
    async fn is_true(&self, agent: Agent, what: &str) {
        let sum = conserved(what, &self.mint.auditor(), &[&agent, &self.friend]).await;
        assert_eq!(sum.pending, 0, "{what}: nothing is left open");
        let agent = Agent::a_day_later(agent.close().await);
        let all = holdings(&agent).await.spendable;
        let token = agent.ok("send_token", json!({"amount_sats": all - 10})).await;
        self.friend.ok("receive_token", json!({"token": token["token"]})).await;
        agent.payment(&token["payment_id"]).await;
        conserved(
            &format!("{what}, all of it sent"),
            &self.mint.auditor(),
            &[&agent, &self.friend],
        )
        .await;
    }
}

#[tokio::test]
async fn a_token_on_its_way_in_an_older_file_is_there_once() {
    let (life, source) = Life::start().await;
    // What is received lies there in large coins: a token out of it takes a swap.
    let token = source.ok("send_token", json!({"amount_sats": 690})).await["token"].clone();
    let agent = Agent::new([life.proxy.url()]);
    agent.ok("receive_token", json!({"token": token})).await;
    life.friend
        .ok(
            "receive_token",
            json!({"token": source.ok("send_token", json!({"amount_sats": 10})).await["token"]}),
        )
        .await;
    let lost = life.proxy.fail(testbed::Rule::new("POST", "/v1/swap", testbed::Moment::AfterMint));
    let sent = agent.ok("send_token", json!({"amount_sats": 20, "idempotency_key": "k"})).await;
    assert_eq!((life.proxy.fired(lost), sent["state"].as_str()), (1, Some("pending")), "{sent}");
    let id = sent["payment_id"].clone();
    let agent = life
        .forgotten(agent, async |agent| {
            let ended = agent.ended(&id).await;
            life.friend.ok("receive_token", json!({"token": ended["token"]})).await;
            fund(agent, 25).await;
        })
        .await;
    let ended = agent.ended(&id).await;
    assert_eq!(ended["state"], "settled", "{ended}");
    let again = agent.payment(&id).await;
    assert_eq!(again["claimed"], true, "{again}");
    life.is_true(agent, "a token on its way").await;
}

#[tokio::test]
async fn a_payment_on_its_way_in_the_lost_life_ends_and_its_change_comes_in() {
    let (life, agent) = Life::start().await;
    let shop = life.lightning.payee("shop");
    let invoice = shop.invoice(100, "slow").unwrap();
    life.lightning.set_behaviour_of(invoice.payment_hash(), testbed::Behaviour::Pending);
    let agent = life
        .forgotten(agent, async |agent| {
            let pending = agent.ok("pay", json!({"to": invoice.to_string()})).await;
            assert_eq!(pending["state"], "pending");
        })
        .await;
    let held = holdings(&agent).await;
    assert!(held.pending > 100 && held.spendable + held.pending == 700, "{held:?}");
    // Counters of the change that is still to come are not used for anything else.
    fund(&agent, 40).await;
    let home = agent.close().await;
    life.lightning.settle(invoice.payment_hash());
    while life.mint.auditor().melts().unwrap().iter().all(|melt| melt.state != "PAID") {
        tokio::task::yield_now().await;
    }
    let agent = Agent::two_minutes_later(home);
    life.is_true(agent, "a payment of the lost life").await;
}

#[tokio::test]
async fn a_payment_a_token_and_a_deposit_that_were_open_in_an_older_file_are_ended_by_the_mints_word()
 {
    let (life, agent) = Life::start().await;
    let shop = life.lightning.payee("shop");
    let invoice = shop.invoice(60, "slow").unwrap();
    life.lightning.set_behaviour_of(invoice.payment_hash(), testbed::Behaviour::Pending);
    let token = agent.ok("send_token", json!({"amount_sats": 21})).await;
    let payment = agent.ok("pay", json!({"to": invoice.to_string()})).await;
    assert_eq!(payment["state"], "pending");
    let deposit = agent.ok("deposit", json!({"amount_sats": 90})).await;
    let agent = life
        .forgotten(agent, async |agent| {
            life.lightning.settle(invoice.payment_hash());
            assert_eq!(agent.ended(&payment["payment_id"]).await["state"], "settled");
            let received = agent.deposit_within(&deposit["deposit_id"], 30).await;
            assert_eq!(received["state"], "received");
            life.friend.ok("receive_token", json!({"token": token["token"]})).await;
            let more = agent.ok("send_token", json!({"amount_sats": 200})).await;
            life.friend.ok("receive_token", json!({"token": more["token"]})).await;
        })
        .await;
    assert_eq!(agent.ended(&payment["payment_id"]).await["state"], "settled");
    assert_eq!(agent.payment(&token["payment_id"]).await["claimed"], true);
    let received = agent.deposit_within(&deposit["deposit_id"], 10).await;
    assert_eq!(received["state"], "received", "what its mint has issued was found: {received}");
    life.is_true(agent, "open in an older file").await;
}
