//! The mint's log, its end and its return, its keysets.

use anyhow::{Context, Result};
use cdk::amount::SplitTarget;
use cdk::nuts::PaymentMethod;
use testbed::{Bench, Lightning, MintOptions, RequestKind, TestMint};

use crate::support::{ask, balance, deposit, wallet};

#[tokio::test]
async fn every_request_is_counted_once() -> Result<()> {
    let bench = Bench::start().await?;
    let wallet = wallet(&bench.mint.url()).await?;
    deposit(&wallet, 10).await?;
    assert!(
        bench
            .mint
            .requests()
            .iter()
            .any(|request| request.kind == RequestKind::WebSocket)
    );
    assert!(!bench.mint.take_requests().is_empty());
    assert!(bench.mint.requests().is_empty());

    wallet
        .swap(
            None,
            SplitTarget::default(),
            wallet.get_unspent_proofs().await?,
            None,
            false,
            false,
        )
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
    let mint = TestMint::start(
        &lightning,
        MintOptions {
            auto_pay: None,
            ..MintOptions::default()
        },
    )
    .await?;
    let wallet = wallet(&mint.url()).await?;
    let quote = wallet
        .mint_quote(PaymentMethod::BOLT11, Some(64.into()), None, None)
        .await?;

    mint.stop().await;
    assert!(ask(&mint.url(), "GET", "/v1/info", "").await.is_err());
    assert_eq!(mint.auditor().outstanding()?, 0);
    lightning.pay(&quote.request.parse()?)?;

    mint.resume().await?;
    wallet.check_mint_quote_status(&quote.id).await?;
    wallet.mint(&quote.id, SplitTarget::default(), None).await?;
    assert_eq!(
        (balance(&wallet).await?, mint.auditor().outstanding()?),
        (64, 64)
    );
    Ok(())
}

#[tokio::test]
async fn info_offers_what_the_wallet_builds_on() -> Result<()> {
    let mint = TestMint::start(&Lightning::new(), MintOptions::named("Corner Mint")).await?;
    let answer = ask(&mint.url(), "GET", "/v1/info", "")
        .await?
        .context("no answer")?;
    let info = answer.body.context("no JSON")?;
    assert_eq!(
        info.pointer("/name").and_then(|name| name.as_str()),
        Some("Corner Mint")
    );
    for offer in [
        "/nuts/12/supported",
        "/nuts/17/supported/0",
        "/nuts/19/cached_endpoints/0",
    ] {
        assert!(
            info.pointer(offer).is_some(),
            "{offer} is missing in {info}"
        );
    }
    let melt = info
        .pointer("/nuts/5/methods/0")
        .context("no melt method")?;
    assert!(melt.to_string().contains(r#""amountless":true"#), "{melt}");
    Ok(())
}

#[tokio::test]
async fn a_rotation_makes_a_keyset_with_its_own_fee() -> Result<()> {
    let mint = TestMint::start(&Lightning::new(), MintOptions::default()).await?;
    mint.rotate_keyset(700).await?;
    let answer = ask(&mint.url(), "GET", "/v1/keysets", "")
        .await?
        .context("no answer")?;
    let body = answer.body.context("no JSON")?;
    let keysets = body
        .pointer("/keysets")
        .and_then(|list| list.as_array())
        .context("no list")?;
    let fee = |active: bool| {
        let found = keysets
            .iter()
            .find(|keyset| keyset.pointer("/active") == Some(&active.into()));
        found.and_then(|keyset| keyset.pointer("/input_fee_ppk")?.as_u64())
    };
    assert_eq!((fee(true), fee(false)), (Some(700), Some(100)));
    Ok(())
}
