//! Play money and real money never meet; and which of several mints pays.

use serde_json::{Value, json};
use testbed::{Currency, InvoiceSpec, Lightning, MintOptions, TestMint};

use crate::world::{Agent, Home, Settings, at_mint, fund, has, has_for, holdings, mint, sats};

struct Two {
    lightning: Lightning,
    play: TestMint,
    real: TestMint,
    agent: Agent,
    /// Paid with play money.
    paid: Value,
    invoice: String,
    /// Made of play money and not claimed.
    token: Value,
    deposit: Value,
}

impl Two {
    /// A wallet that was a play wallet with 1,000 sats, paid and made a token, and then became real
    /// and got 500 more.
    async fn start() -> Self {
        let lightning = Lightning::new();
        let play = TestMint::start(&lightning, MintOptions::named("play")).await.unwrap();
        let real = TestMint::start(&lightning, MintOptions::named("real")).await.unwrap();
        let (play_url, real_url) = (play.url(), real.url());
        let both = Settings::at([&play_url]).mint(&real_url, false);
        let home = Home::at([&play_url]).unwrap();
        home.configure(&both).unwrap();
        let agent = Agent::open(home);
        fund(&agent, 1_000).await;
        let invoice = lightning.payee("shop").invoice(40, "for play").unwrap().to_string();
        let paid = agent.ok("pay", json!({"to": invoice})).await;
        let token = agent.ok("send_token", json!({"amount_sats": 30})).await;
        let deposit = agent.ok("get_deposit", json!({})).await;
        assert_eq!([&paid["money"], &token["money"], &deposit["money"]], ["play"; 3]);
        let home = agent.close().await;
        home.set(&both).unwrap();
        let agent = Agent::reopen(home);
        fund(&agent, 500).await;
        Self { lightning, play, real, agent, paid, invoice, token, deposit }
    }

    fn invoice(&self, sats: u64) -> Value {
        json!({"to": self.lightning.payee("shop").invoice(sats, "for real").unwrap().to_string()})
    }
}

#[tokio::test]
async fn no_sum_counts_play_money_once_the_wallet_is_real() {
    let two = Two::start().await;
    let balance = two.agent.ok("get_balance", json!({})).await;
    has(&balance, json!({"money": "real", "spendable_sats": 500}));
    assert_eq!(
        (
            sats(&balance, "unclaimed_sats"),
            sats(&balance, "pending_sats"),
            balance["mints"].as_array().unwrap().len()
        ),
        (0, 0, 1)
    );
    assert_eq!(
        sats(&balance["limits"], "spent_24h_sats"),
        0,
        "what was paid in play money spends no real limit: {balance}"
    );
    assert!(balance.get("warning").is_none(), "{balance}");
    let aside = &balance["set_aside"][0];
    assert_eq!(aside["mint"], two.play.url());
    assert_eq!(sats(aside, "amount"), two.play.auditor().outstanding().unwrap());
    let history = two.agent.ok("list_history", json!({})).await;
    let totals = &history["totals"];
    assert_eq!(
        (&history["money"], sats(totals, "in_sats"), sats(totals, "out_sats")),
        (&json!("real"), 500, 0),
        "{history}"
    );
    let groups = two.agent.ok("list_history", json!({"summary_by": "mint"})).await;
    let keys: Vec<_> = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["key"].as_str().unwrap().to_owned())
        .collect();
    assert!(!keys.contains(&two.play.url()), "{groups}");
    let mints = two.agent.ok("list_mints", json!({})).await;
    for mint in mints["mints"].as_array().unwrap() {
        assert_eq!(mint["usable"], mint["test"] == false, "{mint}");
        assert_eq!(sats(mint, "spendable_sats"), if mint["test"] == true { 0 } else { 500 });
    }
}

#[tokio::test]
async fn what_was_paid_in_play_money_is_never_shown_as_real() {
    let two = Two::start().await;
    for (tool, arguments) in [
        ("pay", json!({"to": two.invoice})),
        ("get_payment", json!({"payment_id": two.paid["payment_id"]})),
        ("get_payment", json!({"payment_id": two.token["payment_id"]})),
        ("get_deposit", json!({"deposit_id": two.deposit["deposit_id"]})),
    ] {
        let shown = two.agent.ok(tool, arguments).await;
        assert_eq!(shown["money"], "play", "{tool}: {shown}");
        assert!(
            shown.get("balance_sats").is_none() && shown.get("left_24h_sats").is_none(),
            "no sums of the other kind: {shown}"
        );
    }
    let real = two.agent.ok("pay", two.invoice(20)).await;
    has(&real, json!({"money": "real", "mint": two.real.url()}));
    assert!(real.get("warning").is_none(), "{real}");
    let back = two.agent.ok("reclaim_token", json!({"payment_id": two.token["payment_id"]})).await;
    has(&back, json!({"money": "play", "state": "returned"}));
    assert_eq!(holdings(&two.agent).await.spendable, two.real.auditor().outstanding().unwrap());
}

#[tokio::test]
async fn no_choice_falls_on_a_test_mint_once_the_wallet_is_real() {
    let two = Two::start().await;
    let friend = Agent::new([two.play.url()]);
    fund(&friend, 100).await;
    let token = friend.ok("send_token", json!({"amount_sats": 50})).await["token"].clone();
    drop(two.play.take_requests());
    let url = two.play.url();
    for (tool, arguments) in [
        ("deposit", json!({"amount_sats": 5, "mint": url})),
        ("send_token", json!({"amount_sats": 5, "mint": url})),
        ("pay", json!({"to": two.invoice(5)["to"], "mint": url})),
        ("receive_token", json!({"token": token})),
    ] {
        two.agent.refused(tool, arguments, "mint_not_trusted").await;
    }
    assert_eq!(
        two.agent.ok("estimate", json!({"to": two.invoice(5)["to"], "mint": url})).await["code"],
        "mint_not_trusted"
    );
    for (tool, arguments) in [
        ("deposit", json!({"amount_sats": 5})),
        ("send_token", json!({"amount_sats": 5})),
        ("pay", two.invoice(5)),
    ] {
        let done = two.agent.ok(tool, arguments).await;
        has_for(tool, &done, json!({"money": "real", "mint": two.real.url()}));
    }
    // 510 would be there with the play money, and more than 500 is not.
    two.agent.refused("pay", two.invoice(510), "insufficient_funds").await;
    assert!(
        two.play.requests().iter().all(|request| request.path == "/v1/checkstate"),
        "{:?}",
        two.play.requests()
    );
}

#[tokio::test]
async fn a_silent_real_mint_is_never_stood_in_for_by_play_money() {
    let two = Two::start().await;
    let before = two.play.auditor().outstanding().unwrap();
    two.real.stop().await;
    let refusal = two.agent.refused("pay", two.invoice(5), "mint_unreachable").await;
    assert_eq!(serde_json::to_value(refusal.money_moved).unwrap(), json!("no"));
    two.agent.refused("deposit", json!({"amount_sats": 5}), "mint_unreachable").await;
    assert_eq!(two.play.auditor().outstanding().unwrap(), before);
    two.real.resume().await.unwrap();
    assert_eq!(two.agent.ok("pay", two.invoice(5)).await["money"], "real");
}

#[tokio::test]
async fn a_wallet_that_was_real_is_never_a_play_wallet_again() {
    let two = Two::start().await;
    let home = two.agent.close().await;
    home.set(&Settings::at([two.play.url()])).unwrap();
    let agent = Agent::reopen(home);
    let balance = agent.ok("get_balance", json!({})).await;
    has(&balance, json!({"money": "real", "spendable_sats": 0, "max_payment_sats": 0}));
    assert_eq!(balance["set_aside"].as_array().unwrap().len(), 2, "{balance}");
    let invoice =
        two.lightning.payee("shop").invoice(5, "nothing to pay with").unwrap().to_string();
    for (tool, arguments) in [
        ("deposit", json!({"amount_sats": 5})),
        ("send_token", json!({"amount_sats": 5})),
        ("pay", json!({"to": invoice})),
    ] {
        agent.refused(tool, arguments, "no_mint").await;
    }
    assert_eq!(agent.ok("estimate", json!({"to": invoice})).await["code"], "no_mint");
}

#[tokio::test]
async fn real_money_pays_the_main_network_alone_and_play_money_any() {
    let two = Two::start().await;
    let (lightning, mint) = mint().await;
    let play = crate::world::funded(&mint, 500).await;
    for (currency, network) in [
        (Currency::Bitcoin, "lnbc"),
        (Currency::BitcoinTestnet, "lntb"),
        (Currency::Regtest, "lnbcrt"),
        (Currency::Signet, "lntbs"),
    ] {
        let spec = InvoiceSpec { network: currency, ..InvoiceSpec::sats(5, "elsewhere") };
        let here = lightning.payee("shop").invoice_with(&spec).unwrap().to_string();
        assert!(here.starts_with(network));
        match play.call("pay", json!({"to": here})).await {
            Ok(paid) => assert_eq!(paid["money"], "play"),
            Err(error) => panic!("{network}: {error} {:?}", error.details),
        }
        let there =
            json!({"to": two.lightning.payee("shop").invoice_with(&spec).unwrap().to_string()});
        if network == "lnbc" {
            two.agent.ok("pay", there).await;
        } else {
            two.agent.refused("pay", there, "wrong_network").await;
        }
    }
}

#[tokio::test]
async fn every_answer_with_an_amount_says_what_money_it_is() {
    let (lightning, mint) = mint().await;
    for (test, money) in [(true, "play"), (false, "real")] {
        let settings = Settings::default().mint(mint.url(), test);
        let agent = Agent::open(Home::new(&settings).unwrap());
        fund(&agent, 300).await;
        let invoice = lightning.payee("shop").invoice(5, "x").unwrap().to_string();
        let estimate = agent.ok("estimate", json!({"to": invoice})).await;
        let paid = agent.ok("pay", json!({"to": invoice})).await;
        let sent = agent.ok("send_token", json!({"amount_sats": 64})).await;
        let other = Agent::open(Home::new(&settings).unwrap());
        let answers = [
            ("estimate", estimate),
            ("get_payment", agent.payment(&paid["payment_id"]).await),
            ("pay", paid),
            ("receive_token", other.ok("receive_token", json!({"token": sent["token"]})).await),
            (
                "reclaim_token",
                agent.ok("reclaim_token", json!({"payment_id": sent["payment_id"]})).await,
            ),
            ("send_token", sent),
            ("get_balance", agent.ok("get_balance", json!({})).await),
            ("deposit", agent.ok("deposit", json!({"amount_sats": 5})).await),
            ("get_deposit", agent.ok("get_deposit", json!({})).await),
            ("list_history", agent.ok("list_history", json!({})).await),
            ("list_mints", agent.ok("list_mints", json!({})).await),
            ("sync", agent.ok("sync", json!({})).await),
        ];
        // All but zap, which needs somebody to zap and answers as pay does.
        assert_eq!(answers.len() + 1, nutpurse::testing::api::tools::all().len());
        for (tool, answer) in answers {
            assert_eq!(answer["money"], money, "{tool}: {answer}");
        }
    }
}

async fn two_mints(one: MintOptions, other: MintOptions) -> (Lightning, TestMint, TestMint, Agent) {
    let lightning = Lightning::new();
    let one = TestMint::start(&lightning, one).await.unwrap();
    let other = TestMint::start(&lightning, other).await.unwrap();
    let agent = Agent::new([one.url(), other.url()]);
    for mint in [&one, &other] {
        let deposit = agent.ok("deposit", json!({"amount_sats": 500, "mint": mint.url()})).await;
        agent.deposit_within(&deposit["deposit_id"], 30).await;
    }
    (lightning, one, other, agent)
}

#[tokio::test]
async fn the_cheaper_of_two_mints_pays_unless_one_is_named() {
    let dear = MintOptions { fee_reserve_min: 4, ..MintOptions::named("dear") };
    let (lightning, dear, cheap, agent) = two_mints(dear, MintOptions::named("cheap")).await;
    let shop = lightning.payee("shop");
    let invoice = || shop.invoice(20, "x").unwrap().to_string();
    let paid = agent.ok("pay", json!({"to": invoice()})).await;
    assert_eq!(paid["mint"], cheap.url());
    let paid = agent.ok("pay", json!({"to": invoice(), "mint": dear.url()})).await;
    assert_eq!(paid["mint"], dear.url());
    cheap.stop().await;
    let paid = agent.ok("pay", json!({"to": invoice()})).await;
    assert_eq!(paid["mint"], dear.url(), "one that is away holds up none");
    for mint in [&dear, &cheap] {
        assert_eq!(at_mint(&agent, &mint.url()).await, (mint.auditor().outstanding().unwrap(), 0));
    }
}

#[tokio::test]
async fn money_moves_from_mint_to_mint_and_an_own_invoice_has_the_mints_word_alone() {
    let manual = MintOptions { auto_pay: None, ..MintOptions::named("manual") };
    let lightning = Lightning::new();
    let from = TestMint::start(&lightning, MintOptions::named("from")).await.unwrap();
    let to = TestMint::start(&lightning, manual).await.unwrap();
    let mover = Agent::new([from.url(), to.url()]);
    fund(&mover, 500).await;
    let made = mover.ok("deposit", json!({"amount_sats": 200, "mint": to.url()})).await;
    let paid = mover.ok("pay", json!({"to": made["bolt11"]})).await;
    has(&paid, json!({"mint": from.url(), "proof": "preimage"}));
    let got = mover.deposit_within(&made["deposit_id"], 30).await;
    assert_eq!(got["state"], "received", "{got}");
    for mint in [&from, &to] {
        assert_eq!(at_mint(&mover, &mint.url()).await, (mint.auditor().outstanding().unwrap(), 0));
    }
    let own = mover.ok("deposit", json!({"amount_sats": 50, "mint": to.url()})).await;
    let paid = mover.ok("pay", json!({"to": own["bolt11"], "mint": to.url()})).await;
    assert_eq!(
        (&paid["state"], &paid["proof"], paid.get("preimage")),
        (&json!("settled"), &json!("mint_word"), None),
        "{paid}"
    );
    let got = mover.deposit_within(&own["deposit_id"], 30).await;
    assert_eq!(got["state"], "received", "{got}");
    assert_eq!(at_mint(&mover, &to.url()).await.0, to.auditor().outstanding().unwrap());
}
