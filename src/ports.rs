//! The traits between sibling modules. No code: `net` and `store` implement them; `mint`, `nostr`
//! and `wallet` use them; `app` connects them.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cdk_common::nuts::{Id, KeySet, KeySetInfo, Keys};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;

use crate::model::mint::MintInfo;

/// A connection that `net` has made, to a checked address or through the owner's proxy, with or
/// without TLS.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A websocket over a checked connection.
pub type Socket = WebSocketStream<Box<dyn Connection>>;

/// An HTTP method; the wallet needs no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A query.
    Get,
    /// A request that may move money.
    Post,
}

/// The usual media type of an answer.
pub const JSON: &str = "application/json";

/// One HTTP exchange to make. Bodies are JSON.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The full URL.
    pub url: String,
    /// The JSON of a POST.
    pub body: Option<Vec<u8>>,
    /// The `Accept` header: [`JSON`], except for a relay's document (NIP-11), which has the relay's
    /// own URL.
    pub accept: &'static str,
    /// Time limit for the whole exchange.
    pub deadline: Duration,
}

/// An HTTP answer, whose body is at most [`MAX_BODY`] bytes.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// `Retry-After` in seconds. `None` when absent or unreadable.
    pub retry_after_seconds: Option<u64>,
    /// `Location`, the target of a redirect; a stranger's text. `None` when absent or unreadable.
    pub location: Option<String>,
}

/// Maximum length of a body that is read, in bytes.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Reason why an exchange has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// The wallet's rules forbid the address. Nothing was sent.
    #[error("the address is not allowed: {0}")]
    Refused(String),
    /// The rate limit of the wallet or of the server was reached. Nothing was sent.
    #[error("too many requests; try again in {retry_after_seconds} s")]
    RateLimited {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// The host name does not resolve. Nothing was sent.
    #[error("the name does not resolve")]
    Unresolved,
    /// No connection was made. Nothing was sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request may have arrived; the answer did not, or was unreadable.
    #[error("sent, but the answer was lost: {0}")]
    Lost(String),
}

/// The hardened network: deadlines, capped bodies, checked and pinned addresses, no redirects, rate
/// limits. Implemented by `net`; used by `mint` for mints, by `nostr` for relays and by `wallet`
/// for payees' servers.
#[async_trait]
pub trait Http: Send + Sync + Debug {
    /// Makes one exchange. Never retries.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the request at the server: for a POST that moves money, never
    /// drop it.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure>;

    /// Opens a websocket (`ws` or `wss`) under the same rules.
    async fn websocket(&self, url: &str) -> Result<Socket, HttpFailure>;
}

/// A failed operation of the store. Two are equal if their messages are.
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

/// Counters (NUT-13) of one device in one keyset: one for each output derived from the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The device.
    pub device: u32,
    /// The keyset.
    pub keyset: Id,
    /// The counters, in no particular order.
    pub indices: Vec<u32>,
}

/// The stored records of mints, and the free counters. Implemented by `store`, used by `mint`.
#[async_trait]
pub trait MintRecords: Send + Sync + Debug {
    /// The device whose counters these are.
    fn device(&self) -> u32;

    /// The mint's last info (NUT-06). `None`: never fetched.
    async fn info(&self, mint: &str) -> Result<Option<MintInfo>, StoreFailure>;

    /// Stores the mint's info.
    async fn put_info(&self, mint: &str, info: MintInfo) -> Result<(), StoreFailure>;

    /// Every keyset that the mint has ever listed (NUT-02).
    async fn keysets(&self, mint: &str) -> Result<Vec<KeySetInfo>, StoreFailure>;

    /// The ids of the keysets of all other mints.
    async fn keysets_elsewhere(&self, mint: &str) -> Result<Vec<Id>, StoreFailure>;

    /// Stores keysets; of a known one, only its activity and its fee change.
    async fn put_keysets(&self, mint: &str, listed: Vec<KeySetInfo>) -> Result<(), StoreFailure>;

    /// The keys of a keyset (NUT-01). `None`: never fetched.
    async fn keys(&self, keyset: &Id) -> Result<Option<Keys>, StoreFailure>;

    /// Stores the keys of a keyset, which must hash to its id.
    async fn put_keys(&self, keyset: KeySet) -> Result<(), StoreFailure>;

    /// Returns `count` counters of this device that no output uses, returned ones first. Reserves
    /// none: the holder of the mint's guard does, in the commit of the operation's row.
    async fn free_counters(&self, keyset: &Id, count: usize) -> Result<Vec<u32>, StoreFailure>;

    /// The next number of a key that locks a quote (NUT-20).
    async fn next_quote_key(&self) -> Result<u32, StoreFailure>;
}
