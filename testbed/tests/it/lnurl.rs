//! A payee's server gives invoices that the network pays, and receipts for zaps that a relay keeps.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testbed::{Bolt11Invoice, InvoiceLie, Lightning, LnurlServer, ReceiptLie, Relay, Terms};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::ask;

/// From NIP-57, shortened; nobody here checks its signature. In a query every letter of it that is
/// not plain is escaped.
fn request(relay: &str) -> String {
    json!({"kind": 9734, "content": "", "pubkey": "97c70a44366a6535c145b333f973ea86dfdc2d7a99da618c40c64705ad98e322",
        "tags": [["relays", relay], ["amount", "21000"], ["p", "04c915daefee38317fa734444acee390a8269fe5810b2241e5e6dd343dfbecc9"]]})
    .to_string()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn invoice(server: &LnurlServer, query: &str) -> Result<Bolt11Invoice> {
    let answer = ask(&server.url(), "GET", &format!("/callback/alice?{query}"), "")
        .await?
        .context("an answer")?;
    ensure!(answer.status == 200, "{answer:?}");
    let pr = answer.body.and_then(|body| body.get("pr").and_then(Value::as_str).map(str::to_owned));
    pr.context("pr")?.parse().map_err(|why| anyhow::anyhow!("{why:?}"))
}

/// Asks the relay for receipts until there is one.
async fn receipt(relay: &str) -> Result<Value> {
    let (mut socket, _) = connect_async(relay).await?;
    socket.send(Message::text(json!(["REQ", "r", {"kinds": [9735]}]).to_string())).await?;
    while let Some(frame) = socket.next().await {
        let told: Value = serde_json::from_str(frame?.to_text()?).unwrap_or_default();
        if told.get(0) == Some(&json!("EVENT")) {
            return told.get(2).cloned().context("an event");
        }
    }
    anyhow::bail!("the relay hung up")
}

fn tag<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    let tags = event.get("tags")?.as_array()?;
    tags.iter().find(|tag| tag.get(0).is_some_and(|first| first == name))?.get(1)?.as_str()
}

#[tokio::test]
async fn an_address_gives_an_invoice_that_can_be_paid() -> Result<()> {
    let lightning = Lightning::new();
    let server = LnurlServer::start(&lightning).await?;
    let first = ask(&server.url(), "GET", "/.well-known/lnurlp/alice", "")
        .await?
        .and_then(|answer| answer.body)
        .context("an answer")?;
    assert_eq!(first.get("tag"), Some(&json!("payRequest")));
    assert!(first.get("nostrPubkey").is_none());
    let invoice = invoice(&server, "amount=21000").await?;
    assert_eq!(invoice.amount_milli_satoshis(), Some(21_000));
    lightning.pay(&invoice)?;
    assert_eq!((server.received(), server.asked_for_invoices()), (21, 1));

    server.set(Terms {
        invoice: InvoiceLie::Off(-1),
        first: json!({"tag": null, "minSendable": 7}),
        zaps: true,
        ..Terms::default()
    });
    let first = ask(&server.url(), "GET", "/.well-known/lnurlp/alice", "")
        .await?
        .and_then(|answer| answer.body)
        .context("an answer")?;
    assert_eq!((first.get("tag"), first.get("minSendable")), (None, Some(&json!(7))));
    assert_eq!(first.get("nostrPubkey"), Some(&json!(server.nostr_key())));
    Ok(())
}

#[tokio::test]
async fn a_paid_zap_is_receipted_at_the_relay_it_names() -> Result<()> {
    let lightning = Lightning::new();
    let server = LnurlServer::start(&lightning).await?;
    for (lie, is_signer, is_request) in [
        (ReceiptLie::None, true, true),
        (ReceiptLie::Signer, false, true),
        (ReceiptLie::Description, true, false),
    ] {
        let relay = Relay::start().await?;
        let request = request(relay.url());
        server.set(Terms { zaps: true, receipt: lie, ..Terms::default() });
        let invoice =
            invoice(&server, &format!("amount=21000&nostr={}", escaped(&request))).await?;
        let waits = receipt(relay.url());
        lightning.pay(&invoice)?;
        let receipt = timeout(Duration::from_secs(20), waits).await??;
        assert_eq!(receipt.get("pubkey") == Some(&json!(server.nostr_key())), is_signer, "{lie:?}");
        assert_eq!(tag(&receipt, "description") == Some(request.as_str()), is_request, "{lie:?}");
        assert_eq!(tag(&receipt, "bolt11"), Some(invoice.to_string().as_str()), "{lie:?}");
        assert!(tag(&receipt, "p").is_some() && tag(&receipt, "P").is_some(), "{receipt}");
    }
    Ok(())
}
