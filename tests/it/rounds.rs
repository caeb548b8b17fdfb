//! Rounds of the reconciler: a mint that does not answer, and what is urgent among much that is
//! not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cdk_common::nuts::SecretKey;
use nutpurse::testing::app::open_store;
use nutpurse::testing::model::id::PaymentId;
use nutpurse::testing::model::mint::MoneyKind;
use nutpurse::testing::model::payment::{Payment, PaymentKind, PaymentState};
use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::store::{Change, TokenRow};
use serde_json::{Value, json};
use testbed::{Bolt11Invoice, Lightning, MintOptions, Moment, Proxy, Rule, TestMint};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::world::{Agent, fund, mint_with, owned, proxied};

/// How many things are open at the mint that does not answer: deposits, tokens, and one payment.
const OPEN: (usize, usize) = (20, 29);

/// A wallet with 50 things open at one mint, and money at another.
struct Scene {
    lightning: Lightning,
    proxy: Proxy,
    agent: Agent,
    other: TestMint,
    _mint: TestMint,
}

impl Scene {
    async fn new() -> Self {
        let (lightning, mint) =
            mint_with(MintOptions { auto_pay: None, ..MintOptions::named("hung") }).await;
        let other = TestMint::start(&lightning, MintOptions::named("other")).await.unwrap();
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let agent = Agent::new([other.url(), proxy.url()]);
        fund(&agent, 500).await;
        let first = agent.ok("deposit", json!({"amount_sats": 255, "mint": proxy.url()})).await;
        lightning
            .pay(&first["bolt11"].as_str().unwrap().parse::<Bolt11Invoice>().unwrap())
            .unwrap();
        let got = agent.deposit_within(&first["deposit_id"], 30).await;
        assert_eq!(got["state"], "received", "{got}");
        for number in 0..OPEN.0 {
            agent.ok("deposit", json!({"amount_sats": 1 + number, "mint": proxy.url()})).await;
        }
        for number in 0..OPEN.1 {
            let token = json!({"amount_sats": 1, "mint": proxy.url(), "memo": number.to_string()});
            agent.ok("send_token", token).await;
        }
        proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldThenDeliver));
        let invoice = lightning.payee("shop").invoice(20, "open").unwrap().to_string();
        let open = agent.ok("pay", json!({"to": invoice, "mint": proxy.url()})).await;
        assert_eq!(open["state"], "pending", "{open}");
        Self { lightning, proxy, agent, other, _mint: mint }
    }

    /// Begins anew at a mint that fails each exchange like this. What is counted rises with each.
    async fn without_an_answer(self, at: Moment) -> (Self, Arc<AtomicUsize>, Arc<Notify>) {
        let home = self.agent.close().await;
        let (asked, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (counted, tell) = (Arc::clone(&asked), Arc::clone(&told));
        let count = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            tell.notify_one();
        };
        self.proxy.fail(Rule::new("", "", at).every().then(count));
        let agent = Agent::reopen(home);
        agent.wallet().await;
        (Self { agent, ..self }, asked, told)
    }

    /// All that has nothing to do with the mint that does not answer, each at once.
    async fn everything_else_goes_on(&self) {
        let since = Instant::now();
        let other = self.other.url();
        let invoice = self.lightning.payee("shop").invoice(10, "elsewhere").unwrap().to_string();
        let paid = self.agent.ok("pay", json!({"to": invoice, "mint": other})).await;
        assert_eq!(paid["state"], "settled", "{paid}");
        let balance = self.agent.ok("get_balance", json!({})).await;
        assert_eq!(balance["unclaimed_sats"], OPEN.1, "{balance}");
        let deposit = self.agent.ok("deposit", json!({"amount_sats": 5, "mint": other})).await;
        let got = self.agent.deposit_within(&deposit["deposit_id"], 10).await;
        assert_eq!(got["state"], "received", "{got}");
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mint_that_hangs_for_its_fifty_open_items_is_asked_about_one_and_holds_up_nothing() {
    let (scene, asked, told) = Scene::new().await.without_an_answer(Moment::Hang).await;
    told.notified().await;
    scene.everything_else_goes_on().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one question is open, and no other is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mint_that_cannot_be_reached_is_asked_one_question_a_round() {
    let (_scene, asked, told) = Scene::new().await.without_an_answer(Moment::BeforeRequest).await;
    let mut since = None;
    for _ in 0..4 {
        timeout(Duration::from_secs(30), told.notified()).await.unwrap();
        since.get_or_insert_with(Instant::now);
    }
    let (asked, took) = (asked.load(Ordering::SeqCst), since.unwrap().elapsed());
    // 2, 3 and 4.5 s lie between the first four.
    println!("{asked} questions within {took:?}");
    assert!(asked == 4 && took > Duration::from_secs(9), "{asked} questions within {took:?}");
}

/// A token that was called claimed once, long ago: it is asked about at once.
fn token(mint: &str, number: usize) -> (Payment, Change) {
    let payment = Payment {
        id: PaymentId::random(),
        agent: "tester".to_owned(),
        kind: PaymentKind::Token,
        key: None,
        request_digest: String::new(),
        payee: number.to_string(),
        shown_payee: None,
        note: None,
        note_is_untrusted: false,
        mint: mint.parse().unwrap(),
        money: MoneyKind::Play,
        amount_sats: 1,
        reserved_sats: 1,
        created_at: 1,
        attempt: 1,
        repeat_of: None,
        outcome_undelivered: false,
        state: PaymentState::Settled { at: 1, fee_sats: 0, preimage: None, claimed: true },
    };
    let ys = vec![SecretKey::generate().public_key()];
    let row = TokenRow {
        token: Secret::new(format!("cashuB{number}")),
        ys,
        locked: false,
        claimed_at: Some(1),
    };
    let change = Change::Token { payment: payment.id.clone(), row };
    (payment, change)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_paid_is_settled_in_the_midst_of_many_tokens_which_take_three_questions()
{
    let (lightning, _mint, proxy, agent) = proxied(500).await;
    proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldThenDeliver));
    let invoice = lightning.payee("shop").invoice(20, "late").unwrap().to_string();
    let open = agent.ok("pay", json!({"to": invoice})).await;
    assert_eq!(open["state"], "pending", "{open}");
    let home = agent.close().await;
    let store = open_store(&owned(&home)).await.unwrap();
    let mut tokens = Vec::new();
    for number in 0..250 {
        let (payment, change) = token(&proxy.url(), number);
        store.admit::<()>(payment, 1, Vec::new(), |_| Ok(())).await.unwrap();
        tokens.push(change);
    }
    store.commit(tokens).await.unwrap();
    store.close().await;
    drop(store);

    proxy.rewrite(|path, mut answer| {
        if path == "/v1/checkstate" {
            answer["states"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|one| one["state"] = json!("PENDING"));
        }
        answer
    });
    let held = proxy.fail(Rule::new("POST", "/v1/checkstate", Moment::HoldAfter));
    let before = proxy.exchanges().len();
    let agent = Agent::reopen(home);
    agent.wallet().await;
    proxy.reached(held).await;
    proxy.deliver().await.unwrap();
    // Somebody asks for it meanwhile: it is due, and its mint is being asked about tokens.
    let asked = agent.payment_within(&open["payment_id"], 1).await;
    assert_eq!(asked["state"], "pending", "{asked}");
    proxy.release(held);
    let ended = agent.ended(&open["payment_id"]).await;
    assert_eq!(ended["state"], "settled", "{ended}");
    let questions = || -> Vec<(String, usize)> {
        let asked = proxy.exchanges().split_off(before);
        let coins = |request: &Value| request["Ys"].as_array().map_or(0, Vec::len);
        asked
            .iter()
            .filter(|one| !one.path.starts_with("/v1/melt/bolt11"))
            .map(|one| (one.path.clone(), coins(&one.request)))
            .collect()
    };
    let all = async {
        while questions().iter().map(|(_, coins)| coins).sum::<usize>() < 250 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), all).await.unwrap();
    let asked = questions();
    println!("{asked:?}");
    let of_payment = |path: &str| path.starts_with("/v1/melt/quote/bolt11/");
    let tokens: Vec<usize> = asked
        .iter()
        .filter(|(path, _)| path == "/v1/checkstate")
        .map(|(_, coins)| *coins)
        .take(3)
        .collect();
    assert_eq!(tokens, [100, 100, 50], "{asked:?}");
    let place = |at: usize| {
        asked
            .iter()
            .enumerate()
            .filter(|(_, (path, _))| path == "/v1/checkstate")
            .nth(at)
            .map(|(place, _)| place)
    };
    let paid = asked.iter().rposition(|(path, _)| of_payment(path)).unwrap();
    assert!(
        paid < place(1).unwrap(),
        "the payment comes before the second question about tokens: {asked:?}"
    );
}
