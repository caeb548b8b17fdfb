//! Opens websockets (RFC 6455) by an HTTP request of [`super::Web`]'s own clients, with the same
//! checked addresses, TLS and proxy.
//!
//! Messages have a size limit. Never reopens a closed websocket.

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

use super::rate_limit::retry_after;
use super::url_policy::AllowedUrl;
use super::{failure, web};
use crate::ports::{Connection, HttpFailure, MAX_BODY, Socket};

/// Time limit for the opening handshake, including the connection.
const OPENING: Duration = web::CONNECT.saturating_mul(2);

/// Maximum number of bytes that wait to be sent; our longest message fits.
const MAX_WAITING: usize = 1 << 20;

/// Reason why a websocket could not be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The server requests a pause (429).
    TooMany {
        /// The length of the pause in seconds. `None` if the server gave none.
        asked: Option<u64>,
    },
    Other(HttpFailure),
}

/// Opens a websocket to `target` with a client that may go there, within 20 s.
pub(super) async fn open(client: &Client, target: &AllowedUrl) -> Result<Socket, OpenError> {
    timeout(OPENING, exchange(client, target))
        .await
        .unwrap_or_else(|_| Err(lost("no answer in time")))
}

async fn exchange(client: &Client, target: &AllowedUrl) -> Result<Socket, OpenError> {
    let mut url = target.url.clone();
    let scheme = if url.scheme() == "ws" { "http" } else { "https" };
    url.set_scheme(scheme).map_err(|()| {
        OpenError::Other(HttpFailure::NotSent("it is not a websocket address".to_owned()))
    })?;
    let key = generate_key();
    let request = client
        .get(url)
        .header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .header(SEC_WEBSOCKET_KEY, &key);
    let answer = request
        .send()
        .await
        .map_err(|error| OpenError::Other(failure::exchange_failure(&error)))?;
    if answer.status() == StatusCode::TOO_MANY_REQUESTS {
        return Err(OpenError::TooMany { asked: retry_after(answer.headers()) });
    }
    let accepted = answer
        .headers()
        .get(SEC_WEBSOCKET_ACCEPT)
        .is_some_and(|accept| *accept == derive_accept_key(key.as_bytes()));
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS || !accepted {
        return Err(lost("the server does not support websockets here"));
    }
    let connection: Box<dyn Connection> = Box::new(
        answer.upgrade().await.map_err(|_| lost("the server does not support websockets here"))?,
    );
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_BODY))
        .max_frame_size(Some(MAX_BODY))
        // Every ping is answered. A server that keeps pinging without reading would otherwise make
        // us buffer all the answers.
        .max_write_buffer_size(MAX_WAITING);
    Ok(WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await)
}

fn lost(why: &str) -> OpenError {
    OpenError::Other(HttpFailure::Lost(why.to_owned()))
}
