//! A websocket over a connection to a checked address. Messages are capped; whatever comes in it is a hint, never the
//! truth. Never opens itself again.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::client_async_tls_with_config;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::USER_AGENT;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Host;

use super::pace::retry_after;
use super::resolve::{ResolveError, resolve};
use super::vet::Target;
use super::{failure, web};
use crate::ports::{HttpFailure, MAX_BODY, Socket};

/// How long TLS and the opening exchange may take.
const OPENING: Duration = Duration::from_secs(10);

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

/// Opens a websocket to `target`, within twice 10 s.
pub(super) async fn open(target: &Target) -> Result<Socket, Failure> {
    let stream = connect(target).await.map_err(Failure::Other)?;
    let mut request = target.url.as_str().into_client_request().map_err(|_| not_sent("it is not a websocket's address"))?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(web::USER_AGENT));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_BODY))
        .max_frame_size(Some(MAX_BODY))
        // Each ping is answered: who pings without end and reads nothing would have us keep all those answers.
        .max_write_buffer_size(MAX_WAITING);
    match timeout(OPENING, client_async_tls_with_config(request, stream, Some(config), None)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(SocketError::Http(answer))) if answer.status().as_u16() == 429 => {
            Err(Failure::TooMany { asked: retry_after(answer.headers()) })
        }
        Ok(Err(SocketError::Tls(error))) => Err(not_sent(failure::before(&error))),
        Ok(Err(SocketError::Io(error))) => Err(not_sent(failure::before(&error))),
        Ok(Err(_)) => Err(lost("the server speaks no websocket here")),
        Err(_) => Err(lost("no answer in time")),
    }
}

/// A connection to the first address that answers, within 10 s in all.
async fn connect(target: &Target) -> Result<TcpStream, HttpFailure> {
    let until = Instant::now() + web::CONNECT;
    let late = || HttpFailure::NotSent("no connection in time".to_owned());
    let port = target.url.port_or_known_default().unwrap_or(443);
    let addresses = match target.url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => match timeout_at(until, resolve(name, port, target.listed)).await.map_err(|_| late())? {
            Ok(addresses) => addresses,
            Err(ResolveError::Private) => return Err(HttpFailure::Refused("the name leads to a private address".to_owned())),
            Err(error) => return Err(HttpFailure::NotSent(failure::before(&error).to_owned())),
        },
        None => return Err(HttpFailure::Refused("it has no host".to_owned())),
    };
    let mut why = late();
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = until.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small messages go at once; where that cannot be set they are merely slower.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => why = HttpFailure::NotSent(failure::before(&error).to_owned()),
            Err(_) => why = late(),
        }
    }
    Err(why)
}

fn not_sent(why: &str) -> Failure {
    Failure::Other(HttpFailure::NotSent(why.to_owned()))
}

fn lost(why: &str) -> Failure {
    Failure::Other(HttpFailure::Lost(why.to_owned()))
}
