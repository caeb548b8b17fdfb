//! What a call waits for, and how long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nutpurse::testing::api::MoneyMoved;
use nutpurse::testing::api::tools;
use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Moment, Proxy, Rule};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::world::{Agent, Failure, Home, Settings, fund, mint, proxied};

const QUOTE: &str = "/v1/mint/quote/bolt11";

#[tokio::test]
async fn a_payment_that_is_being_planned_is_waited_for_and_never_called_unknown() {
    let (lightning, _mint, proxy, agent) = proxied(500).await;
    let invoice = lightning.payee("shop").invoice(10, "lunch").unwrap();
    let (by_hash, by_key) = (
        json!({"payment_hash": invoice.payment_hash().to_string()}),
        json!({"idempotency_key": "lunch"}),
    );
    for which in [&by_hash, &by_key] {
        agent.refused("get_payment", which.clone(), "not_found").await;
    }

    let held = proxy.fail(Rule::new("POST", "/v1/melt/quote/bolt11", Moment::HoldBefore));
    let pay = agent.start("pay", json!({"to": invoice.to_string(), "idempotency_key": "lunch"}));
    proxy.reached(held).await;
    let waits = agent.start(
        "get_payment",
        json!({"payment_hash": invoice.payment_hash().to_string(), "wait_seconds": 40}),
    );
    let (told, other) = (agent.call("get_payment", by_key.clone()), agent.named("other"));
    let (told, others) = tokio::join!(told, other.call("get_payment", by_hash.clone()));
    let told = told.unwrap_err();
    assert_eq!(
        (told.code.as_str(), told.idempotency_key.as_deref()),
        ("mint_unreachable", Some("lunch")),
        "{told}"
    );
    assert!(told.message.contains("still waiting"), "{told}");
    assert_eq!(
        others.unwrap_err().code.as_str(),
        "not_found",
        "another agent learns nothing of it"
    );

    proxy.release(held);
    assert_eq!(pay.await.unwrap().unwrap()["state"], "settled");
    assert_eq!(waits.await.unwrap().unwrap()["state"], "settled");
    for which in [by_hash, by_key] {
        assert_eq!(agent.ok("get_payment", which).await["state"], "settled");
    }
}

#[tokio::test]
async fn an_invoice_whose_first_caller_has_left_is_the_one_that_the_others_of_its_key_get() {
    let (_lightning, _mint, proxy, agent) = proxied(10).await;
    let quotes = || proxy.count(|one| one.method == "POST" && one.path == QUOTE);
    let before = quotes();
    let held = proxy.fail(Rule::new("POST", QUOTE, Moment::HoldBefore));
    let call = json!({"amount_sats": 50, "idempotency_key": "one"});
    let first = agent.start("deposit", call.clone());
    proxy.reached(held).await;
    first.abort();
    assert!(first.await.is_err());
    let others: Vec<_> = (0..20).map(|_| agent.start("deposit", call.clone())).collect();
    proxy.release(held);
    let mut ids = BTreeSet::new();
    for other in others {
        ids.insert(other.await.unwrap().unwrap()["deposit_id"].to_string());
    }
    assert_eq!((ids.len(), quotes() - before), (1, 1), "{ids:?}");
}

/// Accepts connections, and says nothing.
async fn silence() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((client, _)) = listener.accept().await {
            held.push(client);
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_of_any_tool_takes_longer_than_46_seconds_whatever_hangs() {
    let (lightning, mint) = mint().await;
    let (proxy, relay) = (Proxy::start(&mint.url()).await.unwrap(), silence().await);
    let settings = Settings::at([proxy.url()]).relays([&relay]);
    let agent = Agent::open(Home::new(&settings).unwrap());
    let friend = Agent::new([proxy.url()]);
    fund(&agent, 2_000).await;
    fund(&friend, 100).await;
    let (gift, shop) =
        (friend.ok("send_token", json!({"amount_sats": 16})).await, lightning.payee("shop"));
    let token =
        async |memo: &str| agent.ok("send_token", json!({"amount_sats": 8, "memo": memo})).await;
    let (out, back, own) = (token("out").await, token("back").await, token("own").await);
    let invoice = |words: &str, sats: u64| shop.invoice(sats, words).unwrap();
    proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldThenDeliver));
    let open = agent.ok("pay", json!({"to": invoice("open", 10).to_string()})).await;
    assert_eq!(open["state"], "pending", "{open}");
    for path in ["/v1/mint/quote/bolt11/", "/v1/ws"] {
        proxy.fail(Rule::new("GET", path, Moment::Hang).every());
    }
    let deposit = agent.ok("deposit", json!({"amount_sats": 40})).await;

    // From here on nothing is answered.
    let hung = proxy.fail(Rule::new("POST", "/v1/swap", Moment::Hang));
    proxy.fail(Rule::new("", "", Moment::Hang).every());
    let planned = invoice("planned", 11);
    let mut calls = vec![timed(&agent, "reclaim_token", json!({"payment_id": back["payment_id"]}))];
    proxy.reached(hung).await;
    for (tool, arguments) in [
        ("get_payment", json!({"payment_id": back["payment_id"], "wait_seconds": 45})),
        ("get_payment", json!({"payment_id": out["payment_id"], "wait_seconds": 45})),
        ("get_payment", json!({"payment_id": open["payment_id"], "wait_seconds": 45})),
        ("pay", json!({"to": planned.to_string()})),
        (
            "get_payment",
            json!({"payment_hash": planned.payment_hash().to_string(), "wait_seconds": 45}),
        ),
        ("get_deposit", json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 45})),
        ("deposit", json!({"amount_sats": 41})),
        ("estimate", json!({"to": invoice("estimated", 12).to_string()})),
        ("send_token", json!({"amount_sats": 17, "lock_to": NOBODY})),
        ("receive_token", json!({"token": gift["token"]})),
        ("receive_token", json!({"token": own["token"]})),
        (
            "zap",
            json!({"to": "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6", "amount_sats": 10}),
        ),
        ("sync", json!({})),
        ("list_mints", json!({})),
        ("list_history", json!({})),
        ("get_balance", json!({})),
    ] {
        calls.push(timed(&agent, tool, arguments));
    }
    let parallel = json!({"to": invoice("parallel", 13).to_string(), "idempotency_key": "pay"});
    for _ in 0..20 {
        calls.push(timed(
            &agent,
            "deposit",
            json!({"amount_sats": 42, "idempotency_key": "deposit"}),
        ));
        calls.push(timed(&agent, "pay", parallel.clone()));
    }
    let mut longest = BTreeMap::<&str, Duration>::new();
    for call in calls {
        let (tool, took, answer) = call.await.unwrap();
        assert!(took < Duration::from_secs(46), "{tool} took {took:?}: {answer:?}");
        if let Err(error) = &answer {
            assert_eq!(error.money_moved, MoneyMoved::No, "{tool}: {error}");
        }
        longest.entry(tool).and_modify(|longest| *longest = took.max(*longest)).or_insert(took);
    }
    println!("{longest:.1?}");
    let tools: BTreeSet<&str> = tools::all().iter().map(|tool| tool.name).collect();
    assert_eq!(longest.into_keys().collect::<BTreeSet<_>>(), tools, "every tool was called");
}

fn timed(
    agent: &Agent,
    tool: &'static str,
    arguments: Value,
) -> JoinHandle<(&'static str, Duration, Result<Value, Failure>)> {
    let agent = agent.clone();
    tokio::spawn(async move {
        let since = Instant::now();
        let answer = agent.call(tool, arguments).await;
        (tool, since.elapsed(), answer)
    })
}
