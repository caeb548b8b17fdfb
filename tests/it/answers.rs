//! Answers that lie about what was done: whatever a mint, or something before it, answers to a request, no coin is lost, none is spent
//! twice, and the wallet tells the truth.
//!
//! Every answer is tried with the request carried out and with the request thrown away, for each request that moves money.

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use testbed::{Lightning, Moment, Proxy, Rule, TestMint};

use crate::world::{Agent, Home, conserved, fund, holdings, mint, sats};

const MINT: &str = "/v1/mint/bolt11";
const SWAP: &str = "/v1/swap";
const MELT: &str = "/v1/melt/bolt11";
const RESTORE: &str = "/v1/restore";
/// Cells that are tried at once.
const BESIDE: usize = 4;
/// How long an operation may stay open before a test fails. The wallet waits up to 30 s before it asks a mint again that answered 429.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);
/// A key that nobody here has.
const SOMEBODY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// What is answered: a status, and a body. No body: a page.
const ANSWERS: &[(u16, &str)] = &[
    (200, "garbage"),
    (200, "{}"),
    (204, ""),
    (302, ""),
    (400, ""),
    (400, r#"{"code": 999, "detail": "no code of the list"}"#),
    (400, r#"{"detail": "no code at all"}"#),
    (400, r#"{"code": 11001, "detail": "token already spent"}"#),
    (400, r#"{"code": 20002, "detail": "already issued"}"#),
    (400, r#"{"code": 20004, "detail": "the payment failed"}"#),
    (403, ""),
    (404, ""),
    (409, ""),
    (425, ""),
    (429, "busy"),
    (500, ""),
    (502, "<html>bad gateway</html>"),
    (503, ""),
];

/// What a request is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Deposit,
    Send,
    SendLocked,
    Receive,
    Pay,
}

impl Verb {
    fn path(self) -> &'static str {
        match self {
            Self::Deposit => MINT,
            Self::Send | Self::SendLocked | Self::Receive => SWAP,
            Self::Pay => MELT,
        }
    }
}

/// Two wallets at a mint behind a proxy.
struct Scene {
    lightning: Lightning,
    mint: TestMint,
    proxy: Proxy,
    agent: Agent,
    friend: Agent,
}

impl Scene {
    async fn new(coins: u64) -> Self {
        let (lightning, mint) = mint().await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let agent = Agent::open(Home::at(&[(&proxy.url(), true)])).await;
        let friend = Agent::open(Home::at(&[(&proxy.url(), true)])).await;
        fund(&friend, 2 * coins).await;
        // What is received lies there in large coins: a token takes a swap.
        let token = friend.ok("send_token", json!({"amount_sats": coins})).await["token"].clone();
        agent.ok("receive_token", json!({"token": token})).await;
        Self { lightning, mint, proxy, agent, friend }
    }

    /// The wallet again, more than a minute later, when a dead payment's coins are swapped away.
    async fn later(self) -> Self {
        let home = self.agent.close().await;
        Self { agent: Agent::two_minutes_later(home), ..self }
    }

    async fn conserved(&self, what: &str) {
        self.settle_tokens().await;
        conserved(what, &self.mint.auditor(), &[&self.agent, &self.friend]).await;
    }

    /// The mint is asked who has claimed what.
    async fn settle_tokens(&self) {
        for agent in [&self.agent, &self.friend] {
            let sent = agent.ok("list_history", json!({"kind": "token_sent", "limit": 100})).await;
            for token in sent["entries"].as_array().unwrap() {
                agent.ok("get_payment", json!({"payment_id": token["id"]})).await;
            }
        }
    }

    /// Waits until nothing is under way in the wallet.
    async fn quiet(&self, what: &str) {
        let wallet = self.agent.wallet().await;
        let mut changes = wallet.changes();
        let end = tokio::time::Instant::now() + LONGEST;
        while wallet.has_open().await {
            let left = tokio::time::timeout_at(end, changes.changed()).await;
            left.unwrap_or_else(|_| panic!("{what}: something stays open")).unwrap();
        }
    }
}

/// One cell of the table.
async fn cell(verb: Verb, (status, body): (u16, &str), carried_out: bool) {
    let what = format!("{verb:?}, {status} {body:?}, {}", if carried_out { "carried out" } else { "thrown away" });
    let scene = Scene::new(600).await;
    let before = holdings(&scene.agent).await.spendable;
    let at = if carried_out { Moment::StatusAfterMint } else { Moment::Status };
    let rule = Rule::answer("POST", verb.path(), at, status, body.as_bytes().to_vec());
    let token = match verb {
        Verb::Receive => scene.friend.ok("send_token", json!({"amount_sats": 32})).await["token"].clone(),
        _ => Value::Null,
    };
    let rule = scene.proxy.fail(rule);
    let told: Result<Value, _> = match verb {
        Verb::Deposit => {
            let deposit = scene.agent.ok("deposit", json!({"amount_sats": 64})).await;
            scene.agent.call("get_deposit", json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 5})).await
        }
        Verb::Send => scene.agent.call("send_token", json!({"amount_sats": 24, "idempotency_key": "k"})).await,
        Verb::SendLocked => scene.agent.call("send_token", json!({"amount_sats": 21, "lock_to": SOMEBODY, "idempotency_key": "k"})).await,
        Verb::Receive => scene.agent.call("receive_token", json!({"token": token})).await,
        Verb::Pay => {
            let invoice = scene.lightning.payee("shop").invoice(50, "once").unwrap().to_string();
            scene.agent.call("pay", json!({"to": invoice})).await
        }
    };
    tokio::time::timeout(LONGEST, scene.proxy.reached(rule)).await.unwrap_or_else(|_| panic!("{what}: {} was never asked", verb.path()));
    scene.proxy.clear();
    let melts_so_far = scene.mint.auditor().melts().unwrap().iter().filter(|melt| melt.state == "PAID").count();
    if verb == Verb::Pay
        && let Err(error) = &told
    {
        assert_eq!(melts_so_far, 0, "{what}: paid, and told as {error}");
    }
    let scene = scene.later().await;
    scene.quiet(&what).await;
    scene.conserved(&what).await;
    let melts = scene.mint.auditor().melts().unwrap();
    assert!(melts.iter().filter(|melt| melt.state == "PAID").count() <= 1, "{what}: {melts:?}");
    if verb == Verb::Deposit {
        assert_eq!(holdings(&scene.agent).await.spendable, before + 64, "{what}: the deposit is in");
    }
}

async fn table(verb: Verb) {
    let cells = ANSWERS.iter().flat_map(|answer| [(*answer, true), (*answer, false)]);
    let tried = stream::iter(cells).map(|(answer, carried_out)| cell(verb, answer, carried_out)).buffer_unordered(BESIDE).count().await;
    println!("{verb:?}: {tried} cells");
}

#[tokio::test]
async fn whatever_is_answered_to_a_claim_the_deposit_comes_in_once() {
    table(Verb::Deposit).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_tokens_swap_nothing_is_lost() {
    table(Verb::Send).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_locked_tokens_swap_nothing_is_lost() {
    table(Verb::SendLocked).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_received_tokens_swap_it_is_taken_once_or_still_good() {
    table(Verb::Receive).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_payment_it_is_made_at_most_once_and_rightly_told() {
    table(Verb::Pay).await;
}

#[tokio::test]
async fn change_is_taken_in_although_the_question_about_it_was_turned_away_once() {
    let scene = Scene::new(1_000).await;
    scene.proxy.rewrite(|path, mut answer| {
        if path.contains("/v1/melt/") {
            answer["change"] = Value::Null;
        }
        answer
    });
    let lost = scene.proxy.fail(Rule::new("POST", MELT, Moment::AfterMint));
    let busy = scene.proxy.fail(Rule::answer("POST", RESTORE, Moment::Status, 429, *b"busy"));
    let invoice = scene.lightning.payee("shop").invoice(100, "change").unwrap().to_string();
    let told = scene.agent.ok("pay", json!({"to": invoice})).await;
    assert_eq!((scene.proxy.fired(lost), told["state"].as_str()), (1, Some("pending")), "{told}");
    let ended = scene.agent.ended(&told["payment_id"]).await;
    assert_eq!(ended["state"], "settled", "{ended}");
    scene.proxy.reached(busy).await;
    let melt = scene.mint.auditor().melts().unwrap().remove(0);
    let mut changes = scene.agent.wallet().await.changes();
    while sats(&scene.agent.ended(&told["payment_id"]).await, "fee_sats") != melt.fee_sats {
        let waited = tokio::time::timeout(LONGEST, changes.changed()).await;
        waited.unwrap_or_else(|_| panic!("the change of {melt:?} is not in")).unwrap();
    }
    scene.conserved("change after a 429").await;
}

#[tokio::test]
async fn after_paid_no_other_answer_frees_a_coin() {
    for later in ["UNPAID", "PENDING"] {
        let scene = Scene::new(1_000).await;
        let (told, asked) = (later.to_owned(), std::sync::atomic::AtomicUsize::new(0));
        scene.proxy.rewrite(move |path, mut answer| {
            if path == MELT {
                answer["change"] = Value::Null;
            } else if path.starts_with("/v1/melt/quote/bolt11/") && asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                answer["state"] = json!(told);
                answer["payment_preimage"] = Value::Null;
                answer["change"] = Value::Null;
            }
            answer
        });
        let invoice = scene.lightning.payee("shop").invoice(100, later).unwrap().to_string();
        let paid = scene.agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!(paid["state"], "settled", "{paid}");
        let melt = scene.mint.auditor().melts().unwrap().remove(0);
        let mut changes = scene.agent.wallet().await.changes();
        while sats(&scene.agent.ended(&paid["payment_id"]).await, "fee_sats") != melt.fee_sats {
            let waited = tokio::time::timeout(LONGEST, changes.changed()).await;
            waited.unwrap_or_else(|_| panic!("{later}: the change of {melt:?} is not in")).unwrap();
        }
        scene.conserved(later).await;
    }
}

#[tokio::test]
async fn a_payment_that_arrives_after_its_answer_said_no_is_never_made_twice() {
    for status in [429, 502] {
        let scene = Scene::new(1_000).await;
        let rule = scene.proxy.fail(Rule::answer("POST", MELT, Moment::StatusThenDeliver, status, *b"busy"));
        let shop = scene.lightning.payee("shop");
        let invoice = shop.invoice(100, "late").unwrap().to_string();
        let told = scene.agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!((scene.proxy.fired(rule), told["state"].as_str()), (1, Some("pending")), "{status}: {told}");
        // Nothing of what the request would spend is offered again.
        if status != 429 {
            let other = scene.agent.ok("pay", json!({"to": shop.invoice(110, "other").unwrap().to_string()})).await;
            assert_eq!(other["state"], "settled", "{status}: {other}");
        }
        scene.proxy.deliver().await.unwrap();
        let ended = scene.agent.ended(&told["payment_id"]).await;
        assert_eq!(ended["state"], "settled", "{status}: {ended}");
        scene.quiet("late").await;
        scene.conserved("late").await;
        let paid = scene.mint.auditor().melts().unwrap();
        assert_eq!(paid.iter().filter(|melt| melt.state == "PAID" && melt.amount_sats == 100).count(), 1, "{paid:?}");
    }
}
