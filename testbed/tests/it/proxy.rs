//! Each moment of the proxy, seen from both of its sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use serde_json::json;
use testbed::{Lightning, MintOptions, Moment, Proxy, Rule, TestMint};
use tokio::io::AsyncReadExt;

use crate::support::{answer, ask, balance, deposit, pay, send, wallet};

const QUOTE: &str = "/v1/mint/quote/bolt11";
const BODY: &str = r#"{"amount":8,"unit":"sat"}"#;

async fn bench() -> Result<(TestMint, Proxy)> {
    let options = MintOptions { auto_pay: None, ..MintOptions::default() };
    let mint = TestMint::start(&Lightning::new(), options).await?;
    let proxy = Proxy::start(&mint.url()).await?;
    Ok((mint, proxy))
}

#[tokio::test]
async fn a_wallet_works_through_it_websocket_and_all() -> Result<()> {
    let lightning = Lightning::new();
    let mint = TestMint::start(&lightning, MintOptions::default()).await?;
    let proxy = Proxy::start(&mint.url()).await?;
    let wallet = wallet(&proxy.url()).await?;
    deposit(&wallet, 100).await?;
    pay(&wallet, &lightning.payee("shop").invoice(10, "")?).await?;
    assert!(proxy.exchanges().iter().any(|exchange| exchange.status == Some(101)));
    assert_eq!(mint.auditor().outstanding()?, balance(&wallet).await?);
    assert_eq!(proxy.exchanges().len(), mint.requests().len());
    Ok(())
}

#[tokio::test]
async fn moments_without_the_mint() -> Result<()> {
    let (mint, proxy) = bench().await?;
    let before = proxy.fail(Rule::new("POST", QUOTE, Moment::BeforeRequest));
    assert!(ask(&proxy.url(), "POST", QUOTE, BODY).await?.is_none());
    let status = proxy.fail(Rule::new("POST", QUOTE, Moment::Status(503)));
    let refused = ask(&proxy.url(), "POST", QUOTE, BODY).await?.context("no answer")?;
    assert_eq!(refused.status, 503);
    let hang = proxy.fail(Rule::new("POST", QUOTE, Moment::Hang));
    let mut hanging = send(&proxy.url(), "POST", QUOTE, BODY).await?;
    proxy.reached(hang).await;
    proxy.release(hang);
    assert!(answer(&mut hanging).await?.is_none());

    assert_eq!([before, status, hang].map(|rule| proxy.fired(rule)), [1, 1, 1]);
    assert!(mint.requests().is_empty());
    let through = ask(&proxy.url(), "POST", QUOTE, BODY).await?.context("no answer")?;
    assert_eq!((through.status, mint.requests().len()), (200, 1));
    Ok(())
}

#[tokio::test]
async fn moments_after_the_mint() -> Result<()> {
    let (mint, proxy) = bench().await?;
    let rules = [Moment::AfterMint, Moment::Truncate, Moment::Garbage];
    for (done, moment) in rules.into_iter().enumerate() {
        let rule = proxy.fail(Rule::new("POST", QUOTE, moment));
        let got = ask(&proxy.url(), "POST", QUOTE, BODY).await?;
        assert!(got.is_none_or(|got| got.status == 200 && got.body.is_none()), "{moment:?}");
        assert_eq!((proxy.fired(rule), mint.requests().len()), (1, done + 1));
    }
    let exchanges = proxy.exchanges();
    assert!(exchanges.iter().all(|exchange| exchange.status == Some(200)));
    assert!(exchanges.iter().all(|exchange| exchange.response.pointer("/quote").is_some()));
    Ok(())
}

#[tokio::test]
async fn a_mints_error_before_and_after_it_did_the_work() -> Result<()> {
    let (mint, proxy) = bench().await?;
    for (moment, seen) in [(Moment::Refuse(11005), 0), (Moment::RefuseAfterMint(20006), 1)] {
        proxy.fail(Rule::new("POST", QUOTE, moment));
        let got = ask(&proxy.url(), "POST", QUOTE, BODY).await?.context("no answer")?;
        let code = got.body.and_then(|body| body.pointer("/code")?.as_u64());
        assert_eq!((got.status, code.is_some()), (400, true));
        assert_eq!(mint.requests().len(), seen);
    }
    Ok(())
}

#[tokio::test]
async fn a_kept_request_is_delivered_later() -> Result<()> {
    let (mint, proxy) = bench().await?;
    let rule = proxy.fail(Rule::new("POST", QUOTE, Moment::HoldThenDeliver).nth(2));
    assert!(ask(&proxy.url(), "POST", QUOTE, BODY).await?.is_some());
    assert!(ask(&proxy.url(), "POST", QUOTE, BODY).await?.is_none());
    assert_eq!((proxy.fired(rule), mint.requests().len()), (1, 1));
    let answers = proxy.deliver().await?;
    assert_eq!(answers.first().map(|(status, _)| *status), Some(200));
    assert_eq!((answers.len(), mint.requests().len()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn a_held_exchange_goes_on_or_ends_with_its_client() -> Result<()> {
    let (mint, proxy) = bench().await?;
    for (moment, seen) in [(Moment::HoldBefore, 0), (Moment::HoldAfter, 1)] {
        proxy.clear();
        mint.take_requests().clear();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let rule = Rule::new("POST", QUOTE, moment).then(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let rule = proxy.fail(rule);
        let mut client = send(&proxy.url(), "POST", QUOTE, BODY).await?;
        proxy.reached(rule).await;
        assert_eq!(mint.requests().len(), seen);
        proxy.release(rule);
        assert_eq!(answer(&mut client).await?.map(|answer| answer.status), Some(200));
        assert_eq!((mint.requests().len(), calls.load(Ordering::SeqCst)), (1, 1));
    }

    proxy.clear();
    let rule = proxy.fail(Rule::new("POST", QUOTE, Moment::HoldBefore));
    let client = send(&proxy.url(), "POST", QUOTE, BODY).await?;
    proxy.reached(rule).await;
    let before = mint.requests().len();
    drop(client);
    assert!(ask(&proxy.url(), "GET", "/v1/info", "").await?.is_some());
    proxy.release(rule);
    assert!(ask(&proxy.url(), "GET", "/v1/info", "").await?.is_some());
    let posts = mint.requests().iter().skip(before).filter(|seen| seen.method == "POST").count();
    assert_eq!(posts, 0, "a request whose client is gone is not delivered");
    Ok(())
}

#[tokio::test]
async fn a_lying_mint() -> Result<()> {
    let (_mint, proxy) = bench().await?;
    proxy.rewrite(|path, mut answer| {
        if path == "/v1/info" {
            answer = json!({ "name": "somebody else" });
        }
        answer
    });
    let info = ask(&proxy.url(), "GET", "/v1/info", "").await?.context("no answer")?;
    assert_eq!(info.body, Some(json!({ "name": "somebody else" })));
    let keys = ask(&proxy.url(), "GET", "/v1/keys", "").await?.context("no answer")?;
    assert!(keys.body.is_some_and(|keys| keys.pointer("/keysets/0/id").is_some()));
    Ok(())
}

#[tokio::test]
async fn an_answer_of_the_tests_own_and_one_without_end() -> Result<()> {
    let (mint, proxy) = bench().await?;
    let verbatim = proxy.fail(Rule::verbatim(
        "POST",
        QUOTE,
        *b"HTTP/1.1 429 Slow\r\ncontent-length: 2\r\n\r\n{}",
    ));
    let got = ask(&proxy.url(), "POST", QUOTE, BODY).await?.context("no answer")?;
    assert_eq!((got.status, got.body, proxy.fired(verbatim)), (429, Some(json!({})), 1));
    proxy.fail(Rule::new("POST", QUOTE, Moment::Flood(1_000_000)));
    let got = ask(&proxy.url(), "POST", QUOTE, BODY).await?.context("no answer")?;
    assert_eq!((got.status, got.body), (200, None));
    assert!(mint.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_answer_that_comes_whole_and_one_that_drips() -> Result<()> {
    let (mint, proxy) = bench().await?;
    let whole = proxy.fail(Rule::new("POST", QUOTE, Moment::AfterAnswer));
    assert_eq!(ask(&proxy.url(), "POST", QUOTE, BODY).await?.context("no answer")?.status, 200);
    proxy.reached(whole).await;
    let drip = proxy.fail(Rule::new("POST", QUOTE, Moment::Drip));
    let mut slow = send(&proxy.url(), "POST", QUOTE, BODY).await?;
    proxy.reached(drip).await;
    let mut first = [0; 64];
    assert_eq!(slow.read(&mut first).await?, 1, "a byte at a time");
    assert_eq!(mint.requests().len(), 2);
    Ok(())
}
