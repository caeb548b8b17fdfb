//! The traits through which siblings meet. No code: `net` and `store` implement, `mint` and `wallet` use, `app` wires.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A websocket over a vetted connection.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// GET or POST; a mint needs no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// May move money.
    Post,
}

/// One HTTP exchange to make. Bodies are JSON.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// JSON, for POST.
    pub body: Option<Vec<u8>>,
    /// How long the whole exchange may take.
    pub deadline: Duration,
}

/// The answer, at most [`MAX_BODY`] long.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// `Retry-After` in seconds. `None` when absent or unreadable.
    pub retry_after_seconds: Option<u64>,
}

/// The longest JSON answer we read, in bytes.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// The words of [`HttpFailure::NotSent`] where a name leads nowhere.
pub const UNRESOLVED: &str = "the name does not resolve";

/// Why an exchange has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// Our own rules forbid the address. Nothing was sent.
    #[error("the address is not allowed: {0}")]
    Refused(String),
    /// Our own rate limit, or the server's, says wait. Nothing was sent.
    #[error("too many requests; try again in {retry_after_seconds} s")]
    TooMany {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// No connection was made. Nothing was sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request may have arrived; the answer did not, or was unreadable.
    #[error("sent, and the answer was lost: {0}")]
    Lost(String),
}

/// The network, hardened: deadlines, capped bodies, vetted and pinned addresses, no redirects, our own rate limits.
/// Implemented by `net`, used by `mint` for mints, by `nostr` for relays and by `wallet` for payees' servers.
#[async_trait]
pub trait Http: Send + Sync + Debug {
    /// Makes one exchange. Never repeats a request by itself.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the request at the server: for a POST that moves money, never drop it.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure>;

    /// Opens a websocket (`ws` or `wss`) under the same rules.
    async fn websocket(&self, url: &str) -> Result<Socket, HttpFailure>;
}

/// The store could not do it.
#[derive(Debug, thiserror::Error)]
#[error("the store failed: {0}")]
pub struct StoreFailure(pub String);

/// Makes everything written so far durable. Implemented by `store`; called before any request that can move money leaves.
#[async_trait]
pub trait Barrier: Send + Sync + Debug {
    /// Returns when all earlier writes would survive a power cut.
    async fn barrier(&self) -> Result<(), StoreFailure>;
}

/// What the journal knows of melts whose outcome is not known. Implemented by `store`, used by the mint's connector (D5).
#[async_trait]
pub trait Doubt: Send + Sync + Debug {
    /// Notes durably, before the first byte leaves, that the melt of this quote is about to be sent.
    async fn sent(&self, quote_id: &str) -> Result<(), StoreFailure>;

    /// The melt of this quote was sent and is undecided.
    async fn is_undecided(&self, quote_id: &str) -> Result<bool, StoreFailure>;

    /// The mint has decided this quote, or its request never left: its inputs may be released or spent for good.
    async fn decided(&self, quote_id: &str) -> Result<(), StoreFailure>;
}
