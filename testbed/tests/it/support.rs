//! A plain cdk wallet, and a raw HTTP client that never retries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cdk::amount::SplitTarget;
use cdk::nuts::{CurrencyUnit, MeltOptions, PaymentMethod};
use cdk::wallet::{MeltOutcome, Wallet, WalletBuilder};
use cdk_common::{FinalizedMelt, MeltQuoteState};
use serde_json::Value;
use testbed::Bolt11Invoice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) async fn wallet(url: &str) -> Result<Wallet> {
    let store = Arc::new(cdk_sqlite::wallet::memory::empty().await?);
    let wallet = WalletBuilder::new()
        .mint_url(url.parse()?)
        .unit(CurrencyUnit::Sat)
        .localstore(store)
        .seed([rand::random(); 64])
        .without_rate_limiting()
        .build()?;
    Ok(wallet)
}

pub(crate) async fn deposit(wallet: &Wallet, sats: u64) -> Result<()> {
    let quote = wallet.mint_quote(PaymentMethod::BOLT11, Some(sats.into()), None, None).await?;
    let wait = Duration::from_secs(10);
    wallet.wait_and_mint_quote(quote, SplitTarget::default(), None, wait).await?;
    Ok(())
}

pub(crate) async fn pay(wallet: &Wallet, invoice: &Bolt11Invoice) -> Result<FinalizedMelt> {
    pay_with(wallet, invoice, None).await
}

pub(crate) async fn pay_with(
    wallet: &Wallet,
    invoice: &Bolt11Invoice,
    options: Option<MeltOptions>,
) -> Result<FinalizedMelt> {
    let request = invoice.to_string();
    let quote = wallet.melt_quote(PaymentMethod::BOLT11, request, options, None).await?;
    let prepared = wallet.prepare_melt(&quote.id, HashMap::new()).await?;
    if let MeltOutcome::Paid(paid) = prepared.confirm_prefer_async().await? {
        return Ok(paid);
    }
    // cdk's own wait opens a websocket and takes 2 s where one was open before.
    loop {
        let done = wallet.finalize_pending_melts().await?;
        if let Some(done) = done.into_iter().find(|done| done.quote_id() == quote.id) {
            ensure!(done.state() == MeltQuoteState::Paid, "the payment failed");
            return Ok(done);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn balance(wallet: &Wallet) -> Result<u64> {
    Ok(wallet.total_balance().await?.to_u64())
}

/// One request on a connection of its own; `None` when the connection ends without a whole answer.
pub(crate) async fn ask(url: &str, method: &str, path: &str, body: &str) -> Result<Option<Answer>> {
    let mut stream = send(url, method, path, body).await?;
    answer(&mut stream).await
}

/// Sends a request and leaves the answer to the caller.
pub(crate) async fn send(url: &str, method: &str, path: &str, body: &str) -> Result<TcpStream> {
    let host = url.strip_prefix("http://").context("an http address")?;
    let mut stream = TcpStream::connect(host).await?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    Ok(stream)
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

pub(crate) async fn answer(stream: &mut TcpStream) -> Result<Option<Answer>> {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).await?;
        text.extend_from_slice(piece.get(..length).unwrap_or_default());
        let so_far = String::from_utf8_lossy(&text);
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let expected = head.to_ascii_lowercase();
            let expected = expected.split("content-length: ").nth(1).and_then(|rest| {
                rest.split("\r\n").next().and_then(|length| length.parse::<usize>().ok())
            });
            if expected.is_some_and(|expected| body.len() >= expected) {
                let status = head.split(' ').nth(1).context("a status")?.parse()?;
                return Ok(Some(Answer { status, body: serde_json::from_str(body).ok() }));
            }
        }
        if length == 0 {
            return Ok(None);
        }
    }
}
