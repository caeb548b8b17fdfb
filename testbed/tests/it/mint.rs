//! The mint's log, its end and its return, its keysets.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use cdk::amount::SplitTarget;
use cdk::nuts::PaymentMethod;
use testbed::{Behaviour, Bench, Lightning, MintOptions, RequestKind, TestMint};

use crate::support::{ask, balance, deposit, pay, wallet};

#[tokio::test]
async fn every_request_is_counted_once() -> Result<()> {
    let bench = Bench::start().await?;
    let wallet = wallet(&bench.mint.url()).await?;
    deposit(&wallet, 10).await?;
    assert!(bench.mint.requests().iter().any(|request| request.kind == RequestKind::WebSocket));
    assert!(!bench.mint.take_requests().is_empty());
    assert!(bench.mint.requests().is_empty());

    wallet
        .swap(None, SplitTarget::default(), wallet.get_unspent_proofs().await?, None, false, false)
        .await?;
    let seen = bench.mint.requests();
    let routes: Vec<String> = seen.iter().map(testbed::Request::route).collect();
    assert_eq!(routes, ["POST /v1/swap"]);
    assert!(!bench.mint.time_inside().is_zero());
    assert_eq!(seen.first().and_then(|request| request.status), Some(200));
    Ok(())
}

#[tokio::test]
async fn a_stopped_mint_is_gone_and_comes_back_with_its_books() -> Result<()> {
    let lightning = Lightning::new();
    let mint =
        TestMint::start(&lightning, MintOptions { auto_pay: None, ..MintOptions::default() })
            .await?;
    let wallet = wallet(&mint.url()).await?;
    let quote = wallet.mint_quote(PaymentMethod::BOLT11, Some(64.into()), None, None).await?;

    mint.stop().await;
    assert!(ask(&mint.url(), "GET", "/v1/info", "").await.is_err());
    assert_eq!(mint.auditor().outstanding()?, 0);
    lightning.pay(&quote.request.parse()?)?;

    mint.resume().await?;
    wallet.check_mint_quote_status(&quote.id).await?;
    wallet.mint(&quote.id, SplitTarget::default(), None).await?;
    assert_eq!((balance(&wallet).await?, mint.auditor().outstanding()?), (64, 64));
    Ok(())
}

#[tokio::test]
async fn a_mint_killed_during_a_payment_learns_of_it_when_it_returns() -> Result<()> {
    for settled in [true, false] {
        let bench = Bench::start().await?;
        let wallet = wallet(&bench.mint.url()).await?;
        deposit(&wallet, 100).await?;
        bench.lightning.on_next(Behaviour::Pending);
        let payee = bench.lightning.payee("shop");
        let invoice = payee.invoice(30, "")?;
        let hash = invoice.payment_hash().to_string();
        let paying = tokio::spawn({
            let wallet = wallet.clone();
            async move { pay(&wallet, &invoice).await }
        });
        bench.lightning.attempted(&hash).await;
        bench.mint.stop().await;
        paying.abort();
        if settled {
            bench.lightning.settle(&hash);
        } else {
            bench.lightning.fail(&hash);
        }
        bench.mint.resume().await?;

        let melt = bench.mint.auditor().melts()?.pop().context("no melt")?;
        assert_eq!(melt.state == "PAID", settled, "{melt:?}");
        assert_eq!(payee.received(), if settled { 30 } else { 0 });
        assert_eq!(bench.mint.auditor().by_state()?.pending, 0);
    }
    Ok(())
}

/// A test that blocks its only thread, as one that waits for a child process does.
#[test]
fn the_bench_answers_a_test_that_blocks() -> Result<()> {
    let bench = futures::executor::block_on(Bench::start())?;
    let host = bench.mint.url().trim_start_matches("http://").to_owned();
    let mut stream = std::net::TcpStream::connect(&host)?;
    stream.write_all(b"GET /v1/info HTTP/1.1\r\nhost: mint\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.contains("Testbed Mint"), "{answer}");
    futures::executor::block_on(bench.mint.stop());
    Ok(())
}

#[tokio::test]
async fn info_offers_what_the_wallet_builds_on() -> Result<()> {
    let mint = TestMint::start(&Lightning::new(), MintOptions::named("Corner Mint")).await?;
    let answer = ask(&mint.url(), "GET", "/v1/info", "").await?.context("no answer")?;
    let info = answer.body.context("no JSON")?;
    assert_eq!(info.pointer("/name").and_then(|name| name.as_str()), Some("Corner Mint"));
    for offer in ["/nuts/12/supported", "/nuts/17/supported/0", "/nuts/19/cached_endpoints/0"] {
        assert!(info.pointer(offer).is_some(), "{offer} is missing in {info}");
    }
    let melt = info.pointer("/nuts/5/methods/0").context("no melt method")?;
    assert!(melt.to_string().contains(r#""amountless":true"#), "{melt}");
    Ok(())
}

#[tokio::test]
async fn a_rotation_makes_a_keyset_with_its_own_fee() -> Result<()> {
    let mint = TestMint::start(&Lightning::new(), MintOptions::default()).await?;
    mint.rotate_keyset(700).await?;
    let answer = ask(&mint.url(), "GET", "/v1/keysets", "").await?.context("no answer")?;
    let body = answer.body.context("no JSON")?;
    let keysets = body.pointer("/keysets").and_then(|list| list.as_array()).context("no list")?;
    let fee = |active: bool| {
        let found = keysets.iter().find(|keyset| keyset.pointer("/active") == Some(&active.into()));
        found.and_then(|keyset| keyset.pointer("/input_fee_ppk")?.as_u64())
    };
    assert_eq!((fee(true), fee(false)), (Some(700), Some(100)));
    Ok(())
}
