//! The traits through which siblings meet. No code: `net` and `store` implement, `mint` and
//! `wallet` use, `app` wires.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cdk_common::nuts::{Id, KeySet, KeySetInfo, Keys};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;

use crate::model::mint::MintInfo;

/// A connection that `net` has made: to a checked address or through the owner's proxy, under TLS
/// or not.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A websocket over a checked connection.
pub type Socket = WebSocketStream<Box<dyn Connection>>;

/// GET or POST; a mint needs no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// May move money.
    Post,
}

/// The type of answer that is usual.
pub const JSON: &str = "application/json";

/// One HTTP exchange to make. Bodies are JSON.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// JSON, for POST.
    pub body: Option<Vec<u8>>,
    /// The type of answer that is asked for: [`JSON`] but for the few places that serve something
    /// else under the same address.
    pub accept: &'static str,
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
    /// `Location`, where a redirect points to: a stranger's words. `None` when absent or
    /// unreadable.
    pub location: Option<String>,
}

/// The longest JSON answer we read, in bytes.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Why an exchange has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// Our own rules forbid the address. Nothing was sent.
    #[error("the address is not allowed: {0}")]
    Refused(String),
    /// Our own rate limit, or the server's, says wait. Nothing was sent.
    #[error("too many requests; try again in {retry_after_seconds} s")]
    RateLimited {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// The name leads nowhere. Nothing was sent.
    #[error("the name does not resolve")]
    Unresolved,
    /// No connection was made. Nothing was sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request may have arrived; the answer did not, or was unreadable.
    #[error("sent, and the answer was lost: {0}")]
    Lost(String),
}

/// The network, hardened: deadlines, capped bodies, checked and pinned addresses, no redirects, our
/// own rate limits. Implemented by `net`, used by `mint` for mints, by `nostr` for relays and by
/// `wallet` for payees' servers.
#[async_trait]
pub trait Http: Send + Sync + Debug {
    /// Makes one exchange. Never repeats a request by itself.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the request at the server: for a POST that moves money, never
    /// drop it.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure>;

    /// Opens a websocket (`ws` or `wss`) under the same rules.
    async fn websocket(&self, url: &str) -> Result<Socket, HttpFailure>;
}

/// The store could not do it, and why. Two of them are equal if they say the same.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store failed: {0}")]
pub struct StoreFailure(#[source] Arc<dyn std::error::Error + Send + Sync>);

impl StoreFailure {
    /// A failure with its source.
    pub fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }
}

impl PartialEq for StoreFailure {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl Eq for StoreFailure {}

/// Counters (NUT-13) of one device in one keyset: one for each output that is derived from the
/// seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The device.
    pub device: u32,
    /// The keyset.
    pub keyset: Id,
    /// The counters, in no order.
    pub indices: Vec<u32>,
}

/// What is remembered of mints, and which counters are free. Implemented by `store`, used by
/// `mint`.
#[async_trait]
pub trait MintRecords: Send + Sync + Debug {
    /// The device whose counters these are.
    fn device(&self) -> u32;

    /// What the mint last said of itself (NUT-06).
    async fn info(&self, mint: &str) -> Result<Option<MintInfo>, StoreFailure>;

    /// Remembers what the mint says of itself.
    async fn put_info(&self, mint: &str, info: MintInfo) -> Result<(), StoreFailure>;

    /// Every keyset that the mint has ever listed (NUT-02).
    async fn keysets(&self, mint: &str) -> Result<Vec<KeySetInfo>, StoreFailure>;

    /// The keysets of all other mints.
    async fn keysets_elsewhere(&self, mint: &str) -> Result<Vec<Id>, StoreFailure>;

    /// Remembers keysets; of a known one only its activity and its fee change.
    async fn put_keysets(&self, mint: &str, listed: Vec<KeySetInfo>) -> Result<(), StoreFailure>;

    /// The keys of a keyset (NUT-01), if they were fetched before.
    async fn keys(&self, keyset: &Id) -> Result<Option<Keys>, StoreFailure>;

    /// Remembers the keys of a keyset, whose id they must hash to.
    async fn put_keys(&self, keyset: KeySet) -> Result<(), StoreFailure>;

    /// So many counters of this device that no output uses: those that were given back first. Takes
    /// none of them: whoever holds the lock of the mint does, together with the row of the
    /// operation.
    async fn free_counters(&self, keyset: &Id, count: usize) -> Result<Vec<u32>, StoreFailure>;

    /// The next number of a key that locks a quote (NUT-20).
    async fn next_quote_key(&self) -> Result<u32, StoreFailure>;
}
