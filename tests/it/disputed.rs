//! A mint that says it has issued a deposit's coins, where the wallet has no signature for them.

use nutpurse::testing::api::view::OpenView;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use testbed::{Liar, Lie, MintOptions, Moment, Proxy, Rule};

use crate::world::{Agent, conserved, has, holdings, mint, mint_with};

const QUOTE: &str = "/v1/mint/quote/bolt11/";

/// How often the mint was asked about a quote.
fn asked(proxy: &Proxy) -> usize {
    proxy.count(|one| one.method == "GET" && one.path.starts_with(QUOTE))
}

async fn deposit(agent: &Agent, id: &Value, wait_seconds: u64) -> Value {
    agent.deposit_within(&id, wait_seconds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_that_a_mint_calls_issued_and_did_not_sign_are_disputed_and_asked_about_once_a_day() {
    let (lightning, mint) =
        mint_with(MintOptions { auto_pay: None, ..MintOptions::default() }).await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let liar = Liar::before(&proxy);
    let agent = Agent::new([proxy.url()]);
    let made = agent.ok("deposit", json!({"amount_sats": 200})).await;
    let id = &made["deposit_id"];
    ["amount_paid", "amount_issued"]
        .iter()
        .for_each(|field| liar.tell(Lie::field(QUOTE, field, 200)));
    liar.tell(Lie::states(QUOTE, &["ISSUED"]));
    let shown = deposit(&agent, id, 40).await;
    assert_eq!(shown["state"], "paid", "{shown}");
    let told = shown["next_step"].as_str().unwrap();
    assert!(told.contains("says it has issued") && told.contains("Tell the owner"), "{told}");
    assert_eq!((shown.get("bolt11"), shown.get("received_sats")), (None, None), "{shown}");
    assert_eq!(holdings(&agent).await.incoming, 0);

    let wallet = agent.wallet().await;
    let open = OpenView::from(wallet.recovery().undecided().await.unwrap()).open;
    assert_eq!(
        (open.len(), open[0].id.as_str(), open[0].amount_sats),
        (1, id.as_str().unwrap(), 200)
    );
    assert!(
        open[0].why.contains("issued") && wallet.recovery().disputed().await.unwrap() == 1,
        "{:?}",
        open[0]
    );
    assert!(!wallet.recovery().has_open().await, "it keeps no process");
    let before = asked(&proxy);
    for _ in 0..3 {
        wallet.recovery().settle().await.unwrap();
    }
    assert_eq!(asked(&proxy), before);

    // A day later it is asked about once, and the answer is the same.
    let home = agent.close().await;
    let question = proxy.fail(Rule::new("GET", QUOTE, Moment::AfterAnswer));
    let before = asked(&proxy);
    let agent = Agent::a_day_later(home);
    let wallet = agent.wallet().await;
    let mut changes = wallet.changes();
    proxy.reached(question).await;
    while wallet.recovery().has_open().await {
        changes.changed().await.unwrap();
    }
    wallet.recovery().settle().await.unwrap();
    assert_eq!((asked(&proxy), wallet.recovery().disputed().await.unwrap()), (before + 1, 1));
    let restored = proxy.count(|one| one.path == "/v1/restore");

    // The mint is right again: what is paid comes in, for whoever asks.
    liar.stop();
    lightning.pay(&made["bolt11"].as_str().unwrap().parse().unwrap()).unwrap();
    let shown = deposit(&agent, id, 30).await;
    has(&shown, json!({"state": "received", "received_sats": 200}));
    assert_eq!(
        (
            wallet.recovery().disputed().await.unwrap(),
            wallet.recovery().undecided().await.unwrap().len()
        ),
        (0, 0)
    );
    conserved("no dispute any more", &mint.auditor(), &[&agent]).await;
    assert_eq!(
        proxy.count(|one| one.path == "/v1/restore"),
        restored,
        "it was looked through once"
    );
}

#[tokio::test]
async fn coins_that_a_claim_made_and_lost_sight_of_are_found_and_are_the_deposits() {
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::new([proxy.url()]);
    // The claim is carried out and answered "outputs signed before", and the first look at the
    // quote meets a copy of the mint that lags.
    let lagging = AtomicUsize::new(0);
    proxy.rewrite(move |path, mut answer| {
        if path.starts_with(QUOTE)
            && answer["state"] == "ISSUED"
            && lagging.fetch_add(1, Ordering::SeqCst) == 0
        {
            answer["state"] = json!("PAID");
            answer["amount_issued"] = json!(0);
        }
        answer
    });
    let signed = proxy.fail(Rule::new("POST", "/v1/mint/bolt11", Moment::RefuseAfterMint(11_003)));
    let made = agent.ok("deposit", json!({"amount_sats": 150})).await;
    let shown = deposit(&agent, &made["deposit_id"], 45).await;
    assert_eq!(proxy.fired(signed), 1);
    has(&shown, json!({"state": "received", "received_sats": 150}));
    assert_eq!(conserved("found", &mint.auditor(), &[&agent]).await.spendable, 150);
    assert_eq!(agent.wallet().await.recovery().disputed().await.unwrap(), 0);
    let claims = proxy.count(|one| one.path == "/v1/mint/bolt11");
    assert_eq!(claims, 2, "the claim, and the one with new outputs that the mint refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_said_to_be_issued_is_still_claimed_when_it_is_paid() {
    const QUOTE: &str = "/v1/mint/quote/bolt11";
    let (lightning, mint) =
        mint_with(MintOptions { auto_pay: None, ..MintOptions::default() }).await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let liar = Liar::before(&proxy);
    let agent = Agent::new([proxy.url()]);
    let deposit = agent.ok("deposit", json!({"amount_sats": 200})).await;
    ["amount_paid", "amount_issued"]
        .iter()
        .for_each(|field| liar.tell(Lie::field(QUOTE, field, 200)));
    liar.tell(Lie::states(QUOTE, &["ISSUED"]));
    let shown = agent.deposit_within(&deposit["deposit_id"], 1).await;
    assert!(shown["state"] != "received" && liar.told() > 0, "{shown}");
    liar.stop();
    lightning.pay(&deposit["bolt11"].as_str().unwrap().parse().unwrap()).unwrap();
    let shown = agent.deposit_within(&deposit["deposit_id"], 30).await;
    assert_eq!(shown["state"], "received", "{shown}");
    conserved("after a deposit that was said to be issued", &mint.auditor(), &[&agent]).await;
}
