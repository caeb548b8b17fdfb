//! Subscribes to a mint quote over the mint's websocket (NUT-17). A notification decides nothing;
//! it only triggers a query.
//!
//! One connection per wait, without reconnecting: when it ends, polling continues as before.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::Mint;
use super::error::MintError;
use crate::ports::Http;

impl Mint {
    /// Waits until the mint notifies that a quote is paid or issued.
    ///
    /// # Errors
    /// If the connection fails or the mint closes it.
    ///
    /// # Cancel safety
    /// Safe to drop at any time.
    pub async fn wait_for_quote_update(&self, quote_id: &str) -> Result<(), MintError> {
        let mut url = self
            .client
            .url()
            .join("v1/ws")
            .map_err(|error| MintError::NotSent(error.to_string()))?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        if url.set_scheme(scheme).is_err() {
            return Err(MintError::NotSent("no websocket address".to_owned()));
        }
        let mut socket = self.client.http.websocket(url.as_str()).await?;
        let subscribe = json!({
            "jsonrpc": "2.0", "id": 0, "method": "subscribe",
            "params": {"kind": "bolt11_mint_quote", "subId": "deposit", "filters": [quote_id]},
        });
        let sent = socket.send(Message::text(subscribe.to_string())).await;
        sent.map_err(|error| MintError::Lost(error.to_string()))?;
        while let Some(message) = socket.next().await {
            let message = message.map_err(|error| MintError::Lost(error.to_string()))?;
            if let Message::Text(text) = message
                && says_paid(&text)
            {
                return Ok(());
            }
        }
        Err(MintError::Lost("the mint closed the websocket".to_owned()))
    }
}

/// Returns `true` for a notification that the quote is paid or issued.
fn says_paid(text: &str) -> bool {
    let Ok(notice) = serde_json::from_str::<Value>(text) else { return false };
    let state = notice.pointer("/params/payload/state").and_then(Value::as_str);
    matches!(state, Some("PAID" | "ISSUED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_notice_of_payment_counts() {
        assert!(says_paid(r#"{"params":{"payload":{"state":"PAID"}}}"#));
        assert!(!says_paid(r#"{"params":{"payload":{"state":"UNPAID"}}}"#));
        assert!(!says_paid(r#"{"result":{"status":"OK"}}"#));
        assert!(!says_paid("garbage"));
    }
}
