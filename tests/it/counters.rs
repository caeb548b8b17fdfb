//! Counters of secrets (NUT-13): however many outputs a mint refuses or does not need, the words
//! bring every coin back, and so does an older copy of the file. `NUTPURSE_RUNS` says how many
//! operations there are in a row.

use std::fs;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use testbed::harness::input::{coin, token};
use testbed::{Behaviour, Lightning, MintOptions, Moment, Proxy, Rule, TestMint};

use crate::restore::{restored, words};
use crate::world::{
    Agent, Home, Limits, Settings, binary, fund, has, holdings, mint, mint_with, number, sats,
};

/// In a usual test run. Each is made with a coin of thousands of sats, and so has eleven blank
/// outputs or more: together more than a restore looks beyond the last counter that is signed.
const USUAL: usize = 40;
/// So many operations pass before our own rate makes one wait. It holds for each opening of a
/// wallet.
const WITHOUT_WAIT: usize = 20;
/// A token of twelve coins.
const SPENT_SATS: u64 = 4_095;

fn in_a_row() -> usize {
    number("NUTPURSE_RUNS").map_or(USUAL, |runs| usize::try_from(runs).unwrap())
}

/// A wallet at a mint behind a proxy, and its file as it was in the beginning.
struct Worn {
    lightning: Lightning,
    mint: TestMint,
    proxy: Proxy,
    agent: Agent,
    /// A second wallet, which hands out tokens.
    friend: Agent,
    older: Vec<u8>,
    /// Sats that the mint owes to neither of these two wallets.
    elsewhere: u64,
    begun: Instant,
    done: usize,
}

impl Worn {
    /// A wallet with these coins.
    async fn with(coins: &[u64]) -> Self {
        let (lightning, mint) = mint_with(MintOptions {
            mint_limits: (1, 100_000_000),
            input_fee_ppk: 0,
            ..MintOptions::default()
        })
        .await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let mut agent = Agent::open(wide(&proxy));
        let mut friend = Agent::open(wide(&proxy));
        fund(&friend, SPENT_SATS + coins.iter().sum::<u64>()).await;
        for (number, coin) in coins.iter().enumerate() {
            let sent = friend
                .ok("send_token", json!({"amount_sats": coin, "memo": number.to_string()}))
                .await;
            agent.ok("receive_token", json!({"token": sent["token"]})).await;
            if number % WITHOUT_WAIT == WITHOUT_WAIT - 1 {
                (agent, friend) =
                    (Agent::reopen(agent.close().await), Agent::reopen(friend.close().await));
            }
        }
        let elsewhere = mint.auditor().outstanding().unwrap() - holdings(&agent).await.spendable;
        let home = agent.close().await;
        let older = fs::read(home.path().join("wallet.redb")).unwrap();
        Self {
            lightning,
            mint,
            proxy,
            agent: Agent::reopen(home),
            friend,
            older,
            elsewhere,
            begun: Instant::now(),
            done: 0,
        }
    }

    /// One more is done.
    async fn done(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(WITHOUT_WAIT) {
            self.agent = Agent::reopen(self.agent.clone().close().await);
        }
    }

    async fn quiet(&self) {
        let wallet = self.agent.wallet().await;
        let mut changes = wallet.changes();
        while wallet.recovery().has_open().await {
            tokio::time::timeout(Duration::from_secs(60), changes.changed())
                .await
                .unwrap()
                .unwrap();
        }
    }

    /// After one more deposit, the words alone bring all that the wallet holds into a new home, and
    /// the older file brings it into its own.
    async fn all_comes_back(mut self, what: &str) {
        self.agent = Agent::reopen(self.agent.close().await);
        fund(&self.agent, 77).await;
        let held = holdings(&self.agent).await;
        let owed = self.mint.auditor().outstanding().unwrap() - self.elsewhere;
        assert_eq!((held.spendable, held.all()), (owed, owed), "{what}");
        let home = self.agent.close().await;
        let fresh = wide(&self.proxy);
        restored(&fresh, &words(&home));
        let by_words = holdings(&Agent::open(fresh)).await.spendable;
        let (file, older) = (home.path().join("wallet.redb"), home.path().join("older"));
        fs::remove_file(&file).unwrap();
        fs::write(&older, &self.older).unwrap();
        binary::done(&home, &["restore", "--copy", older.to_str().unwrap()]);
        let by_copy = holdings(&Agent::reopen(home)).await.spendable;
        let (done, owed, took) = (self.done, held.spendable, self.begun.elapsed());
        println!(
            "{done} {what}: of {owed} sats the words bring {by_words}, an older copy {by_copy}; {took:.1?}"
        );
        assert_eq!((by_words, by_copy), (held.spendable, held.spendable), "{what}");
    }
}

fn wide(proxy: &Proxy) -> Home {
    Home::new(
        &Settings::at([proxy.url()])
            .limits(Limits { per_payment: 100_000, per_day: 1_000_000_000 }),
    )
    .unwrap()
}

#[tokio::test]
async fn claims_that_are_refused_leave_no_gap() {
    let mut worn = Worn::with(&[64]).await;
    let refused =
        worn.proxy.fail(Rule::new("POST", "/v1/mint/bolt11", Moment::Refuse(20_003)).every());
    let deposit =
        worn.agent.ok("deposit", json!({"amount_sats": 1_000})).await["deposit_id"].clone();
    while worn.proxy.fired(refused) < in_a_row() {
        worn.agent.ok("get_deposit", json!({"deposit_id": deposit})).await;
        worn.done().await;
    }
    worn.proxy.clear();
    worn.done = worn.proxy.fired(refused);
    let received = worn.agent.deposit_within(&deposit, 30).await;
    assert_eq!(received["state"], "received", "{received}");
    worn.all_comes_back("refused claims").await;
}

#[tokio::test]
async fn swaps_that_are_refused_leave_no_gap() {
    let mut worn = Worn::with(&[4_096]).await;
    worn.proxy.fail(Rule::new("POST", "/v1/swap", Moment::Refuse(20_004)).every());
    for number in 0..in_a_row() {
        worn.agent.call("send_token", json!({"amount_sats": 1 + number})).await.unwrap_err();
        worn.done().await;
    }
    worn.proxy.clear();
    worn.all_comes_back("refused swaps").await;
}

#[tokio::test]
async fn forged_tokens_of_any_amount_leave_no_gap() {
    let mut worn = Worn::with(&[64]).await;
    let asked = worn.proxy.exchanges();
    let keysets = asked.iter().find(|exchange| exchange.path == "/v1/keysets").unwrap();
    let keyset = keysets.response["keysets"][0]["id"].as_str().unwrap();
    for number in 0..in_a_row() {
        // 900 outputs of the mint's largest amount, or one of each amount.
        let amount = if number % 2 == 0 { 900 << 31 } else { (1 << 31) - 1 };
        let forged =
            token(&worn.proxy.url(), "sat", &[coin(amount, keyset, &format!("forged {number}"))]);
        worn.agent.call("receive_token", json!({"token": forged})).await.unwrap_err();
        worn.done().await;
    }
    worn.all_comes_back("forged tokens").await;
}

#[tokio::test]
async fn tokens_that_are_spent_leave_no_gap() {
    let mut worn = Worn::with(&[64]).await;
    let mut tokens = Vec::new();
    for number in 0..in_a_row() {
        let sent = worn
            .friend
            .ok("send_token", json!({"amount_sats": SPENT_SATS, "memo": number.to_string()}))
            .await;
        worn.friend.ok("reclaim_token", json!({"payment_id": sent["payment_id"]})).await;
        tokens.push(sent["token"].clone());
        if number % WITHOUT_WAIT == WITHOUT_WAIT - 1 {
            worn.friend = Agent::reopen(worn.friend.clone().close().await);
        }
    }
    for token in tokens {
        worn.agent.refused("receive_token", json!({"token": token}), "token_spent").await;
        worn.done().await;
    }
    worn.all_comes_back("spent tokens").await;
}

#[tokio::test]
async fn a_counter_that_is_used_again_makes_no_spent_token_good() {
    let mut worn = Worn::with(&[64]).await;
    let spent = worn.friend.ok("send_token", json!({"amount_sats": 64, "memo": "spent"})).await;
    worn.friend.ok("reclaim_token", json!({"payment_id": spent["payment_id"]})).await;
    worn.agent.refused("receive_token", json!({"token": spent["token"]}), "token_spent").await;
    // One coin of the same amount, and so the very same output.
    let good = worn.friend.ok("send_token", json!({"amount_sats": 64, "memo": "good"})).await;
    worn.agent.ok("receive_token", json!({"token": good["token"]})).await;
    worn.agent = Agent::reopen(worn.agent.close().await);
    worn.quiet().await;
    let history = worn.agent.ok("list_history", json!({})).await;
    let mut states: Vec<_> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["state"].as_str().unwrap())
        .collect();
    states.sort_unstable();
    assert_eq!(
        (states, holdings(&worn.agent).await.spendable),
        (vec!["failed", "received", "received"], 128),
        "{history}"
    );
}

#[tokio::test]
async fn payments_that_fail_leave_no_gap() {
    let mut worn = Worn::with(&[4_096]).await;
    let shop = worn.lightning.payee("shop");
    for number in 0..in_a_row() {
        let invoice = shop.invoice(100, &number.to_string()).unwrap();
        worn.lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Fail);
        worn.agent.refused("pay", json!({"to": invoice.to_string()}), "route_not_found").await;
        worn.done().await;
    }
    worn.all_comes_back("failed payments").await;
}

#[tokio::test]
async fn payments_that_need_few_of_their_blank_outputs_leave_no_gap() {
    let mut worn = Worn::with(&[16_384]).await;
    let shop = worn.lightning.payee("shop");
    for number in 0..in_a_row() {
        let invoice = shop.invoice(5, &number.to_string()).unwrap().to_string();
        assert_eq!(worn.agent.ok("pay", json!({"to": invoice})).await["state"], "settled");
        worn.done().await;
    }
    worn.quiet().await;
    worn.all_comes_back("payments with change").await;
}

#[tokio::test]
async fn payments_that_use_their_whole_reserve_leave_no_gap() {
    // 64,251 sats, and two hundredths of them for the route.
    let mut worn = Worn::with(&vec![65_536; in_a_row()]).await;
    worn.lightning.set_fee(1_285, 0);
    let shop = worn.lightning.payee("shop");
    for number in 0..in_a_row() {
        let invoice = shop.invoice(64_251, &number.to_string()).unwrap().to_string();
        let paid = worn.agent.ok("pay", json!({"to": invoice})).await;
        has(&paid, json!({"state": "settled", "total_sats": 65_536}));
        if worn.done % WITHOUT_WAIT == WITHOUT_WAIT - 1 {
            // Whether there is change after all is asked in the background.
            worn.quiet().await;
        }
        worn.done().await;
    }
    worn.quiet().await;
    worn.all_comes_back("payments without change").await;
}

#[tokio::test]
async fn payments_at_once_of_which_some_fail_leave_no_gap() {
    let mut worn = Worn::with(&[4_096; 8]).await;
    let shop = worn.lightning.payee("shop");
    for round in 0..in_a_row().div_ceil(8) {
        let calls: Vec<_> = (0..8_u64)
            .map(|number| {
                let invoice = shop.invoice(20 + number, &round.to_string()).unwrap();
                // They end in another order than they begin.
                let after = Duration::from_millis(10 * (8 - number));
                let behaviour = if number % 3 == 1 {
                    Behaviour::Delay(after)
                } else {
                    Behaviour::FailAfter(after)
                };
                worn.lightning.set_behaviour_of(invoice.payment_hash(), behaviour);
                worn.agent.start("pay", json!({"to": invoice.to_string()}))
            })
            .collect();
        for (number, told) in join_all(calls).await.into_iter().enumerate() {
            assert_eq!(told.as_ref().unwrap().is_ok(), number % 3 == 1, "{told:?}");
            worn.done().await;
        }
    }
    worn.quiet().await;
    worn.all_comes_back("payments at once").await;
}

#[tokio::test]
async fn several_deposits_together_do_not_pass_the_owners_cap() {
    let (_lightning, mint) = mint().await;
    let home = Home::at([mint.url()]).unwrap();
    home.write(
        "mints.toml",
        &format!("[[mint]]\nurl = \"{}\"\ntest = true\nmax_balance_sats = 1000\n", mint.url()),
    )
    .unwrap();
    let agent = Agent::open(home);
    let calls: Vec<_> =
        (0..4).map(|_| agent.start("deposit", json!({"amount_sats": 900}))).collect();
    let mut made: Vec<Value> = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(deposit) => made.push(deposit),
            Err(error) => assert_eq!(error.code.as_str(), "over_balance_limit", "{error}"),
        }
    }
    assert_eq!(made.len(), 1, "{made:?}");
    let received = agent
        .ok("get_deposit", json!({"deposit_id": made[0]["deposit_id"], "wait_seconds": 30}))
        .await;
    assert_eq!(received["state"], "received");
    agent.refused("deposit", json!({"amount_sats": 101}), "over_balance_limit").await;
    assert_eq!(sats(&agent.ok("deposit", json!({"amount_sats": 100})).await, "amount_sats"), 100);
}
