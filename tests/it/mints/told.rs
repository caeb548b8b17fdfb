//! How mints answer: with a time to wait, elsewhere, with a no, with nothing; and by other clocks.
//! Each is told as what it is.

use std::time::{Duration, Instant};

use nutpurse::testing::api::Retry;
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Detour, Lightning, MintOptions, Moment, Proxy, Rule, TestMint};

use super::listed;
use crate::world::{Agent, Home, conserved, fund, has, mint, mint_with, sats};

const QUOTE: &str = "/v1/melt/quote/bolt11";
const MELT: &str = "/v1/melt/bolt11";

/// A wallet at a mint behind a proxy, with so many sats.
async fn behind(mint: &TestMint, coins: u64) -> (Proxy, Agent) {
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::new([proxy.url()]);
    if coins > 0 {
        fund(&agent, coins).await;
    }
    (proxy, agent)
}

fn busy(status: u16, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Testbed\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

#[tokio::test]
async fn the_time_that_a_mint_asks_for_is_told_and_kept() {
    let (lightning, mint) = mint().await;
    let date =
        "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:28:02 GMT\r\n";
    let rows = [
        (429, "Retry-After: 2\r\n", "too_many_requests"),
        (503, "Retry-After: 2\r\n", "mint_unreachable"),
        (503, date, "mint_unreachable"),
    ];
    for (status, headers, code) in rows {
        let (proxy, agent) = behind(&mint, 100).await;
        let invoice =
            json!({"to": lightning.payee("shop").invoice(5, "a thing").unwrap().to_string()});
        let rule = proxy.fail(Rule::verbatim("POST", QUOTE, busy(status, headers)));
        let error = agent.refused("pay", invoice.clone(), code).await;
        let asked_at = Instant::now();
        assert_eq!(
            (error.retry_after_seconds, error.retry, proxy.fired(rule)),
            (Some(2), Retry::SameRequest, 1),
            "{error:?}"
        );
        let so_far = proxy.exchanges().len();
        let error = agent.refused("pay", invoice.clone(), "too_many_requests").await;
        assert!(
            error.retry_after_seconds.is_some_and(|seconds| (1..=2).contains(&seconds)),
            "{error:?}"
        );
        assert_eq!(proxy.exchanges().len(), so_far, "nothing is asked before its time");
        assert_eq!(listed(&agent).await.get("reachable"), None, "nobody was asked");
        tokio::time::sleep(Duration::from_secs(2).saturating_sub(asked_at.elapsed())).await;
        assert_eq!(agent.ok("pay", invoice).await["state"], "settled");
    }
}

#[tokio::test]
async fn what_is_open_is_not_asked_about_before_the_mints_time() {
    let (lightning, mint) = mint().await;
    let (proxy, agent) = behind(&mint, 100).await;
    let lost = proxy.fail(Rule::new("POST", MELT, Moment::AfterMint));
    let wait = proxy.fail(Rule::verbatim("GET", QUOTE, busy(503, "Retry-After: 4\r\n")));
    let told = agent
        .ok(
            "pay",
            json!({"to": lightning.payee("shop").invoice(5, "a thing").unwrap().to_string()}),
        )
        .await;
    assert_eq!((told["state"].as_str(), proxy.fired(lost)), (Some("pending"), 1), "{told}");
    let ended = agent.ended(&told["payment_id"]).await;
    assert_eq!((&ended["state"], proxy.fired(wait)), (&json!("settled"), 1), "{ended}");
    let asked: Vec<Instant> = proxy
        .exchanges()
        .iter()
        .filter(|one| one.path.starts_with(QUOTE) && one.method == "GET")
        .map(|one| one.at)
        .collect();
    let gap = asked[1].duration_since(asked[0]);
    assert!(gap >= Duration::from_secs(4), "asked again after {gap:?}");
    conserved("asked in its time", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_mint_that_moved_is_told_with_its_place_and_nobody_goes_there() {
    let (_lightning, mint) = mint().await;
    for status in [301, 302, 307, 308] {
        let detour = Detour::start(status, &mint.url()).await.unwrap();
        let agent = Agent::new([detour.url()]);
        let error = agent.refused("deposit", json!({"amount_sats": 5}), "mint_unreachable").await;
        let place = error.details["untrusted_location"].as_str().unwrap();
        assert!(place.starts_with(&mint.url()), "{error:?}");
        assert!(
            error.next_step.contains("change the mint's address")
                && error.retry == Retry::AfterChange,
            "{error:?}"
        );
        assert!(!error.message.contains("did not answer"), "{error}");
        assert!(detour.sent() > 0 && mint.requests().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn no_answer_an_answer_that_cannot_be_read_and_a_no_are_told_apart() {
    let (lightning, mint) = mint().await;
    let (proxy, agent) = behind(&mint, 100).await;
    let invoice = json!({"to": lightning.payee("shop").invoice(5, "a thing").unwrap().to_string()});
    let rows: [(Rule, &str, &str); 6] = [
        (Rule::new("POST", QUOTE, Moment::BeforeRequest), "mint_unreachable", "did not answer"),
        (Rule::new("POST", QUOTE, Moment::Garbage), "mint_refused", "cannot be read"),
        (
            Rule::answer("POST", QUOTE, Moment::Status, 200, *b"[]"),
            "mint_refused",
            "cannot be read",
        ),
        (
            Rule::answer("POST", QUOTE, Moment::Status, 403, *br#"{"detail": "members only"}"#),
            "mint_refused",
            "refused",
        ),
        (
            Rule::answer("POST", QUOTE, Moment::Status, 500, *br#"{"detail": "oh"}"#),
            "mint_unreachable",
            "server failed",
        ),
        (Rule::new("POST", QUOTE, Moment::Refuse(11_013)), "mint_refused", "refused"),
    ];
    for (rule, code, words) in rows {
        let shown = format!("{rule:?}");
        let rule = proxy.fail(rule);
        let error = agent.refused("pay", invoice.clone(), code).await;
        assert!(error.message.contains(words) && proxy.fired(rule) == 1, "{shown}: {error}");
        assert_eq!(
            error.details.contains_key("untrusted_reason"),
            shown.contains("403") || shown.contains("500") || shown.contains("Refuse"),
            "{shown}: {error:?}"
        );
    }
    assert_eq!(agent.ok("pay", invoice).await["state"], "settled");
    for (status, reachable) in [(200, true), (404, true), (500, true), (502, false), (503, false)] {
        let rule = proxy.fail(Rule::answer("GET", "/v1/info", Moment::Status, status, *b"no info"));
        let view = listed(&agent).await;
        assert_eq!(
            (&view["reachable"], proxy.fired(rule)),
            (&json!(reachable), 1),
            "{status}: {view}"
        );
    }
    let _gone = proxy.fail(Rule::new("GET", "/v1/info", Moment::BeforeRequest));
    assert_eq!(listed(&agent).await["reachable"], false);
}

async fn wallet_at(mints: &[&str]) -> Agent {
    let agent = Agent::new(mints.iter().copied());
    for url in mints {
        let deposit = agent.ok("deposit", json!({"amount_sats": 200, "mint": url})).await;
        let got = agent.deposit_within(&deposit["deposit_id"], 30).await;
        assert_eq!(got["state"], "received");
    }
    agent
}

/// What `pay` and `estimate` say of an invoice without an amount that no mint takes.
async fn is_unsupported(agent: &Agent, invoice: &str, reason: Option<&str>) {
    let arguments = json!({"to": invoice, "amount_sats": 9});
    let error = agent.refused("pay", arguments.clone(), "payee_unsupported").await;
    assert_eq!(
        (
            error.details["kind"].as_str(),
            error.details.get("untrusted_reason").and_then(Value::as_str)
        ),
        (Some("bolt11"), reason)
    );
    assert!(error.next_step.contains("invoice with an amount"), "{error:?}");
    assert_eq!(agent.ok("estimate", arguments).await["code"], "payee_unsupported");
}

#[tokio::test]
async fn an_invoice_without_an_amount_goes_to_a_mint_that_can_pay_it() {
    let lightning = Lightning::new();
    let start = |amountless, fee_reserve_min| {
        TestMint::start(
            &lightning,
            MintOptions { amountless, fee_reserve_min, ..MintOptions::default() },
        )
    };
    let (cannot, can) = (start(false, 1).await.unwrap(), start(true, 3).await.unwrap());
    let open = lightning.payee("shop").amountless("any").unwrap().to_string();

    // Where it says so itself it is not asked.
    let proxy = Proxy::start(&cannot.url()).await.unwrap();
    proxy.rewrite(|path, mut answer| {
        if path == "/v1/info" {
            answer["nuts"]["5"]["methods"][0]["options"] = json!({"amountless": false});
        }
        answer
    });
    let agent = wallet_at(&[&proxy.url()]).await;
    assert_eq!(listed(&agent).await["amountless"], false);
    let asked = proxy.exchanges().len();
    is_unsupported(&agent, &open, None).await;
    assert_eq!(proxy.exchanges().len(), asked, "nothing is asked");

    for first in [cannot.url(), proxy.url()] {
        let agent = wallet_at(&[&first, &can.url()]).await;
        let open = lightning.payee("shop").amountless(&first).unwrap().to_string();
        let paid = agent.ok("pay", json!({"to": open, "amount_sats": 9})).await;
        has(&paid, json!({"state": "settled", "mint": can.url().as_str()}));
    }
    let agent = wallet_at(&[&can.url()]).await;
    assert_eq!(listed(&agent).await["amountless"], true);
    let paid = agent.ok("pay", json!({"to": open, "amount_sats": 9})).await;
    has(&paid, json!({"state": "settled", "mint": can.url().as_str()}));

    // Where another mint might pay it, and does not answer now, that is what is told.
    let either = [
        wallet_at(&[&cannot.url(), &can.url()]).await,
        wallet_at(&[&can.url(), &cannot.url()]).await,
    ];
    can.stop().await;
    for agent in either {
        agent.refused("pay", json!({"to": open, "amount_sats": 9}), "mint_unreachable").await;
    }
}

#[tokio::test]
async fn a_mint_that_says_nothing_of_invoices_without_an_amount_is_asked() {
    let (lightning, mint) =
        mint_with(MintOptions { amountless: false, ..MintOptions::default() }).await;
    let open = lightning.payee("shop").amountless("any").unwrap().to_string();
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = wallet_at(&[&proxy.url()]).await;
    assert_eq!(listed(&agent).await.get("amountless"), None);
    let before = proxy.count(|one| one.path == QUOTE);
    is_unsupported(
        &agent,
        &open,
        Some("Amountless invoices are not supported for unit `sat` and method `bolt11`"),
    )
    .await;
    let asked: Vec<_> =
        proxy.exchanges().into_iter().filter(|one| one.path == QUOTE).skip(before).collect();
    println!("the mint says: {} {}", asked[0].status.unwrap(), asked[0].response);
    assert_eq!(asked.len(), 2);
    // As a mint that checks its input before it looks at it.
    let words = br#"{"detail": [{"type": "missing", "loc": ["body", "options", "mpp"], "msg": "Field required"}]}"#;
    let _each = proxy.fail(Rule::answer("POST", QUOTE, Moment::Status, 422, *words).every());
    is_unsupported(&agent, &open, Some("Field required")).await;
}

#[tokio::test]
async fn a_quote_that_looks_expired_is_the_mints_to_judge() {
    let (lightning, mint) =
        mint_with(MintOptions { melt_quote_ttl: 60, ..MintOptions::default() }).await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::at(Home::at([proxy.url()]).unwrap().into(), || clock::now() + 90);
    fund(&agent, 500).await;
    let shop = lightning.payee("shop");
    for expiry in [None, Some(json!(0)), Some(Value::Null), Some(json!(1))] {
        let said = expiry.clone();
        proxy.rewrite(move |path, mut answer| {
            if let Some(expiry) = said.as_ref().filter(|_| path.contains("quote") || path == MELT) {
                answer["expiry"] = expiry.clone();
            }
            answer
        });
        let paid = agent
            .ok("pay", json!({"to": shop.invoice(5, &format!("{expiry:?}")).unwrap().to_string()}))
            .await;
        assert_eq!(paid["state"], "settled", "{expiry:?}: {paid}");
        let deposit = agent.ok("deposit", json!({"amount_sats": 5})).await;
        let got = agent.deposit_within(&deposit["deposit_id"], 30).await;
        assert_eq!(got["state"], "received", "{expiry:?}: {got}");
    }
    conserved("quotes of every age", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_mint_twenty_minutes_behind_is_a_mint_as_any_other() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    proxy.rewrite(|path, mut answer| {
        if path == "/v1/info" {
            answer["time"] = json!(clock::now() - 1_200);
        }
        answer
    });
    let agent = Agent::new([proxy.url()]);
    fund(&agent, 500).await;
    assert_eq!(listed(&agent).await["reachable"], true);
    mint.rotate_keyset(100).await.unwrap();
    let token = agent.ok("send_token", json!({"amount_sats": 77, "lock_to": NOBODY})).await;
    assert_eq!(token["state"], "settled", "the first swap after a rotation: {token}");
    mint.rotate_keyset(100).await.unwrap();
    let paid = agent
        .ok(
            "pay",
            json!({"to": lightning.payee("shop").invoice(50, "a thing").unwrap().to_string()}),
        )
        .await;
    assert_eq!(paid["state"], "settled", "{paid}");
    assert!(sats(&agent.ok("get_balance", json!({})).await, "spendable_sats") > 300);
    conserved("behind", &mint.auditor(), &[&agent]).await;
}
