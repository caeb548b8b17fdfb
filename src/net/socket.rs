//! A websocket (RFC 6455), opened by an HTTP request of [`super::Web`]'s own clients: the same
//! vetted addresses, the same TLS, the same proxy. Messages are capped; whatever comes in it is a
//! hint, never the truth. Never opens itself again.

use std::time::Duration;

use reqwest::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use reqwest::{Client, StatusCode};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::pace::retry_after;
use super::vet::Target;
use super::{failure, web};
use crate::ports::{Connection, HttpFailure, MAX_BODY, Socket};

/// How long the opening exchange may take, the connection included.
const OPENING: Duration = web::CONNECT.saturating_mul(2);

/// What may wait to be sent, in bytes: more than our longest message.
const MAX_WAITING: usize = 1 << 20;

/// Why there is no websocket.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server asks us to wait.
    TooMany {
        /// For how long, in seconds. `None` when it did not say.
        asked: Option<u64>,
    },
    /// All else.
    Other(HttpFailure),
}

/// Opens a websocket to `target` with a client that may go there, within 20 s.
pub(super) async fn open(client: &Client, target: &Target) -> Result<Socket, Failure> {
    timeout(OPENING, exchange(client, target))
        .await
        .unwrap_or_else(|_| Err(lost("no answer in time")))
}

async fn exchange(client: &Client, target: &Target) -> Result<Socket, Failure> {
    let mut url = target.url.clone();
    let scheme = if url.scheme() == "ws" { "http" } else { "https" };
    url.set_scheme(scheme).map_err(|()| {
        Failure::Other(HttpFailure::NotSent("it is not a websocket's address".to_owned()))
    })?;
    let key = generate_key();
    let request = client
        .get(url)
        .header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .header(SEC_WEBSOCKET_KEY, &key);
    let answer =
        request.send().await.map_err(|error| Failure::Other(failure::of_exchange(&error)))?;
    if answer.status() == StatusCode::TOO_MANY_REQUESTS {
        return Err(Failure::TooMany { asked: retry_after(answer.headers()) });
    }
    let accepted = answer
        .headers()
        .get(SEC_WEBSOCKET_ACCEPT)
        .is_some_and(|accept| *accept == derive_accept_key(key.as_bytes()));
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS || !accepted {
        return Err(lost("the server speaks no websocket here"));
    }
    let connection: Box<dyn Connection> =
        Box::new(answer.upgrade().await.map_err(|_| lost("the server speaks no websocket here"))?);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_BODY))
        .max_frame_size(Some(MAX_BODY))
        // Each ping is answered: who pings without end and reads nothing would have us keep all
        // those answers.
        .max_write_buffer_size(MAX_WAITING);
    Ok(WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await)
}

fn lost(why: &str) -> Failure {
    Failure::Other(HttpFailure::Lost(why.to_owned()))
}
