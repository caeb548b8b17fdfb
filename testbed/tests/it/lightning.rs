//! Payments over the simulated network, from wallet to payee.

use std::time::Duration;

use anyhow::{Context, Result};
use bitcoin::hashes::{Hash, sha256};
use cdk::amount::SplitTarget;
use cdk::nuts::{MeltOptions, PaymentMethod};
use cdk_common::MeltQuoteState;
use cdk_common::util::hex;
use testbed::{Behaviour, InvoiceSpec, Lightning, MintOptions, TestMint};

use crate::support::{balance, deposit, pay, pay_with, wallet};

async fn funded(sats: u64) -> Result<(Lightning, TestMint, cdk::Wallet)> {
    let lightning = Lightning::new();
    let mint = TestMint::start(&lightning, MintOptions::default()).await?;
    let wallet = wallet(&mint.url()).await?;
    deposit(&wallet, sats).await?;
    Ok((lightning, mint, wallet))
}

#[tokio::test]
async fn a_payment_arrives_with_a_true_preimage_and_the_books_agree() -> Result<()> {
    let (lightning, mint, wallet) = funded(1000).await?;
    assert_eq!((mint.auditor().outstanding()?, mint.auditor().unclaimed()?), (1000, 0));
    let payee = lightning.payee("shop");
    let invoice = payee.invoice(400, "a thing")?;
    let hash = invoice.payment_hash().to_string();

    let paid = pay(&wallet, &invoice).await?;

    let preimage = paid.payment_proof().context("no preimage")?;
    assert_eq!(sha256::Hash::hash(&hex::decode(preimage)?).to_string(), hash);
    assert_eq!(lightning.preimage(&hash).as_deref(), Some(preimage));
    assert_eq!(payee.received(), 400);
    let arrived = lightning.payments();
    let last = arrived.last().context("nothing arrived")?;
    assert_eq!((last.amount_msat, last.fee_msat), (400_000, 1000));
    assert_eq!((last.payer.as_str(), last.payee.as_str()), ("Testbed Mint", "shop"));

    let melts = mint.auditor().melts()?;
    let melt = melts.first().context("no melt")?;
    assert_eq!((melt.state.as_str(), melt.amount_sats), ("PAID", 400));
    assert_eq!(
        (melt.payment_hash.as_str(), melt.request.as_str()),
        (&*hash, &*invoice.to_string())
    );
    assert!((1..=3).contains(&melt.fee_sats), "{melt:?}");
    assert!(melt.change_sats > 0, "the reserve comes back: {melt:?}");
    assert_eq!(mint.auditor().outstanding()?, balance(&wallet).await?);
    assert_eq!(mint.auditor().by_state()?.pending, 0);
    Ok(())
}

#[tokio::test]
async fn a_payment_to_another_mint_makes_its_deposit_paid() -> Result<()> {
    let (lightning, _mint, payer) = funded(500).await?;
    let options = MintOptions { auto_pay: None, ..MintOptions::named("Other") };
    let other = TestMint::start(&lightning, options).await?;
    let receiver = wallet(&other.url()).await?;
    let quote = receiver.mint_quote(PaymentMethod::BOLT11, Some(200.into()), None, None).await?;

    pay(&payer, &quote.request.parse()?).await?;

    let wait = Duration::from_secs(10);
    receiver.wait_and_mint_quote(quote, SplitTarget::None, None, wait).await?;
    assert_eq!((balance(&receiver).await?, other.auditor().outstanding()?), (200, 200));
    Ok(())
}

#[tokio::test]
async fn an_invoice_of_the_mint_itself_never_reaches_the_network() -> Result<()> {
    let lightning = Lightning::new();
    let options = MintOptions { auto_pay: None, ..MintOptions::default() };
    let mint = TestMint::start(&lightning, options).await?;
    let wallet = wallet(&mint.url()).await?;
    let quote = |sats: u64| wallet.mint_quote(PaymentMethod::BOLT11, Some(sats.into()), None, None);
    let deposit = quote(300).await?;
    lightning.pay(&deposit.request.parse()?)?;
    let wait = Duration::from_secs(10);
    wallet.wait_and_mint_quote(deposit, SplitTarget::default(), None, wait).await?;

    let own = quote(100).await?;
    let paid = pay(&wallet, &own.request.parse()?).await?;

    assert_eq!((paid.state(), paid.payment_proof()), (MeltQuoteState::Paid, None));
    assert!(lightning.payments().iter().all(|payment| payment.payer == "outside"));
    let melt = mint.auditor().melts()?.pop().context("no melt")?;
    assert_eq!((melt.state.as_str(), melt.amount_sats, melt.preimage), ("PAID", 100, None));
    assert_eq!(mint.auditor().unclaimed()?, 100);
    wallet.mint(&own.id, SplitTarget::default(), None).await?;
    assert_eq!(mint.auditor().outstanding()?, balance(&wallet).await?);
    Ok(())
}

#[tokio::test]
async fn the_network_fails_a_payment_and_takes_it_the_next_time() -> Result<()> {
    let (lightning, mint, wallet) = funded(300).await?;
    let before = balance(&wallet).await?;
    let payee = lightning.payee("shop");
    lightning.on_next(Behaviour::Fail);
    let invoice = payee.invoice(50, "twice")?;

    assert!(pay(&wallet, &invoice).await.is_err());
    assert_eq!(payee.received(), 0);
    assert!(before - balance(&wallet).await? <= 2, "only the swap before it costs");
    assert_eq!(mint.auditor().outstanding()?, balance(&wallet).await?);

    pay(&wallet, &invoice).await?;
    assert_eq!(payee.received(), 50);
    Ok(())
}

#[tokio::test]
async fn a_pending_payment_waits_to_be_settled_or_failed() -> Result<()> {
    let (lightning, mint, wallet) = funded(300).await?;
    let payee = lightning.payee("slow shop");
    lightning.set_behaviour(Behaviour::Pending);
    for settled in [true, false] {
        let invoice = payee.invoice(40, "later")?;
        let hash = invoice.payment_hash().to_string();
        let paying = tokio::spawn({
            let wallet = wallet.clone();
            async move { pay(&wallet, &invoice).await.map(|paid| paid.state()) }
        });
        lightning.attempted(&hash).await;
        assert_eq!(lightning.pending(), vec![hash.clone()]);
        let held = mint.auditor().by_state()?;
        assert!(held.pending >= 40 && !paying.is_finished());
        if settled {
            lightning.settle(&hash);
            assert_eq!(paying.await??, MeltQuoteState::Paid);
        } else {
            lightning.fail(&hash);
            assert!(paying.await?.is_err());
        }
        assert_eq!(mint.auditor().outstanding()?, balance(&wallet).await?);
    }
    assert_eq!((payee.received(), lightning.pending().len()), (40, 0));
    Ok(())
}

#[tokio::test]
async fn a_delayed_payment_settles_by_itself() -> Result<()> {
    let (lightning, _mint, wallet) = funded(100).await?;
    lightning.on_next(Behaviour::Delay(Duration::from_millis(50)));
    let payee = lightning.payee("far shop");
    assert_eq!(pay(&wallet, &payee.invoice(20, "far")?).await?.state(), MeltQuoteState::Paid);
    assert_eq!(payee.received(), 20);
    Ok(())
}

#[tokio::test]
async fn an_open_amount_is_the_payers() -> Result<()> {
    let (lightning, _mint, wallet) = funded(100).await?;
    let payee = lightning.payee("tip jar");
    let invoice = payee.amountless("as you like")?;
    pay_with(&wallet, &invoice, Some(MeltOptions::new_amountless(30_000))).await?;
    assert_eq!(payee.received(), 30);
    Ok(())
}

#[tokio::test]
async fn the_network_takes_no_expired_unknown_or_dear_payment() -> Result<()> {
    let (lightning, mint, wallet) = funded(100).await?;
    let payee = lightning.payee("shop");
    let expired = InvoiceSpec {
        created_at: Some(1_700_000_000),
        expiry_seconds: 60,
        ..InvoiceSpec::sats(10, "old")
    };
    assert!(pay(&wallet, &payee.invoice_with(&expired)?).await.is_err());
    let elsewhere = Lightning::new().payee("stranger");
    assert!(pay(&wallet, &elsewhere.invoice(10, "no route")?).await.is_err());
    lightning.set_fee(50, 0);
    assert!(pay(&wallet, &payee.invoice(10, "too dear")?).await.is_err());
    assert_eq!((payee.received(), elsewhere.received()), (0, 0));
    assert_eq!(mint.auditor().outstanding()?, balance(&wallet).await?);
    Ok(())
}
