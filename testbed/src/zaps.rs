//! Receipts for zaps (NIP-57): events of kind 9735 to the relays that a zap request names, right or
//! wrong in one thing.
//!
//! Events are made here by hand, so that each of their parts can be wrong. A relay that does not
//! answer is passed over.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message as Frame;

/// How long a relay has to take an event.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is wrong with a receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReceiptLie {
    /// Nothing.
    #[default]
    None,
    /// There is none.
    Missing,
    /// Another key signed it.
    Signer,
    /// Its invoice is one over another amount.
    Amount,
    /// Its description is another request: the same one with other words, and the old signature.
    Description,
    /// It comes after this long.
    Late(Duration),
}

/// A Nostr key.
#[derive(Debug, Clone)]
pub(crate) struct NostrKey(Keypair);

impl NostrKey {
    pub(crate) fn random() -> Self {
        let secret = loop {
            if let Ok(secret) = SecretKey::from_slice(&rand::random::<[u8; 32]>()) {
                break secret;
            }
        };
        Self(Keypair::from_secret_key(&Secp256k1::new(), &secret))
    }

    /// In hexadecimal.
    pub(crate) fn public(&self) -> String {
        self.0.x_only_public_key().0.to_string()
    }

    fn sign(&self, kind: u16, tags: &Value, content: &str) -> Result<Value> {
        let created_at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let said = json!([0, self.public(), created_at, kind, tags, content]).to_string();
        let id = sha256::Hash::hash(said.as_bytes());
        let signature = Secp256k1::new()
            .sign_schnorr_no_aux_rand(&Message::from_digest(id.to_byte_array()), &self.0);
        Ok(json!({
            "id": id.to_string(), "pubkey": self.public(), "created_at": created_at, "kind": kind, "tags": tags, "content": content,
            "sig": signature.to_string(),
        }))
    }
}

/// Makes the receipt and hands it to the relays of the request.
pub(crate) async fn send(
    key: NostrKey,
    lie: ReceiptLie,
    bolt11: String,
    preimage: String,
    request: String,
) {
    match lie {
        ReceiptLie::Missing => return,
        ReceiptLie::Late(wait) => sleep(wait).await,
        _ => {}
    }
    let Ok(asked) = serde_json::from_str::<Value>(&request) else { return };
    let signer = if lie == ReceiptLie::Signer { NostrKey::random() } else { key };
    let Ok(receipt) = receipt(&signer, lie, &bolt11, &preimage, &request, &asked) else { return };
    for relay in of(&asked, "relays").into_iter().flatten().skip(1).filter_map(Value::as_str) {
        if timeout(PATIENCE, publish(relay, &receipt)).await.is_err() {
            tracing::debug!("a relay did not take a receipt in time");
        }
    }
}

fn receipt(
    key: &NostrKey,
    lie: ReceiptLie,
    bolt11: &str,
    preimage: &str,
    request: &str,
    asked: &Value,
) -> Result<Value> {
    let mut description = request.to_owned();
    if lie == ReceiptLie::Description {
        let mut other = asked.as_object().cloned().unwrap_or_default();
        other.insert("content".to_owned(), json!("something else"));
        description = Value::Object(other).to_string();
    }
    let mut tags = vec![
        json!(["bolt11", bolt11]),
        json!(["description", description]),
        json!(["preimage", preimage]),
    ];
    let copied = ["p", "e", "a"].into_iter().filter_map(|name| of(asked, name));
    tags.extend(copied.map(|tag| json!(tag)));
    if let Some(payer) = asked.get("pubkey") {
        tags.push(json!(["P", payer]));
    }
    key.sign(9735, &Value::Array(tags), "")
}

/// The request's tag of this name, with its name.
fn of<'a>(asked: &'a Value, name: &str) -> Option<&'a Vec<Value>> {
    let tags = asked.get("tags")?.as_array()?;
    tags.iter()
        .filter_map(Value::as_array)
        .find(|tag| tag.first().is_some_and(|first| first == name))
}

async fn publish(relay: &str, event: &Value) -> Result<()> {
    let (mut socket, _) = connect_async(relay).await?;
    socket.send(Frame::text(json!(["EVENT", event]).to_string())).await?;
    while let Some(frame) = socket.next().await {
        if frame?.to_text().is_ok_and(|text| text.starts_with("[\"OK\"")) {
            break;
        }
    }
    socket.close(None).await?;
    Ok(())
}
