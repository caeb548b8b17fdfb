//! [`Web`]: makes one HTTP exchange, once, with a checked address.
//!
//! There are two clients with separate connections: one for public addresses, whose resolver
//! returns no others, and one for origins that the owner has listed. They never follow a redirect,
//! retry a request, or read more than [`MAX_BODY`].

use std::fmt;
use std::sync::{Once, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, ClientBuilder, Proxy, StatusCode, redirect, retry};
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use url::Host;

use super::failure;
use super::rate_limit::{RateLimit, retry_after};
use super::resolve::{PrivateNames, PublicResolver};
use super::settings::{BadSettings, NetworkSettings};
use super::url_policy::{AllowedUrl, MAX_URL, Protocol, UrlPolicy};
use super::{settings, websocket};
use crate::ports::{Http, HttpFailure, HttpRequest, HttpResponse, JSON, MAX_BODY, Method, Socket};

/// Time limit for connecting: name, TCP and TLS together.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// Maximum time limit of an exchange.
const MAX_DEADLINE: Duration = Duration::from_secs(3600);

/// How long an idle connection is kept, and how many are kept per host.
const IDLE: (Duration, usize) = (Duration::from_secs(30), 8);

/// The `User-Agent` of every request.
pub(super) const USER_AGENT: &str = concat!("nutpurse/", env!("CARGO_PKG_VERSION"));

/// The network client with the owner's settings. Create one per process, because the rate limits
/// apply per instance.
pub struct Web {
    policy: UrlPolicy,
    rate_limit: RateLimit,
    proxy: Option<Proxy>,
    private_names: PrivateNames,
    public: OnceLock<Client>,
    listed: OnceLock<Client>,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy's URL may contain a password.
        let Self { policy, rate_limit, proxy, .. } = self;
        f.debug_struct("Web")
            .field("policy", policy)
            .field("rate_limit", rate_limit)
            .field("proxy", &proxy.is_some())
            .finish_non_exhaustive()
    }
}

impl Web {
    /// Reads the settings without opening a connection. TLS and the system's certificates are
    /// loaded at the first request.
    ///
    /// # Errors
    /// [`BadSettings`] names the setting that cannot be used.
    pub fn new(settings: &NetworkSettings) -> Result<Self, BadSettings> {
        let policy = UrlPolicy::new(settings)?;
        let proxy = match settings::proxy_of(settings)? {
            Some(url) => Some(Proxy::all(url).map_err(|_| BadSettings::Proxy)?),
            None => None,
        };
        Ok(Self {
            policy,
            rate_limit: RateLimit::new(),
            proxy,
            private_names: PrivateNames::default(),
            public: OnceLock::new(),
            listed: OnceLock::new(),
        })
    }

    fn client(&self, listed: bool) -> Result<Client, HttpFailure> {
        let cell = if listed { &self.listed } else { &self.public };
        if let Some(client) = cell.get() {
            return Ok(client.clone());
        }
        let builder = hardened(self.proxy.clone());
        let builder = if listed {
            builder
        } else {
            let proxy_host = self.policy.proxy_host().map(str::to_owned);
            builder.https_only(true).dns_resolver(PublicResolver { proxy_host })
        };
        match builder.build() {
            Ok(client) => Ok(cell.get_or_init(|| client).clone()),
            Err(_) => {
                Err(HttpFailure::NotSent("this machine has no trusted certificates".to_owned()))
            }
        }
    }

    /// Returns the client for a checked URL, and refuses a private name behind a proxy.
    async fn client_for(&self, target: &AllowedUrl) -> Result<Client, HttpFailure> {
        if let Some(Host::Domain(name)) = target.url.host()
            && !target.listed
            && self.policy.looks_up_for_proxy()
            && self.private_names.contains(name).await
        {
            return Err(HttpFailure::Refused("the name resolves to a private address".to_owned()));
        }
        self.client(target.listed)
    }

    pub(super) async fn open(&self, target: &AllowedUrl) -> Result<Socket, HttpFailure> {
        websocket::open(&self.client_for(target).await?, target).await.map_err(|failure| {
            match failure {
                websocket::OpenError::TooMany { asked } => HttpFailure::RateLimited {
                    retry_after_seconds: self.rate_limit.pause(&target.origin, asked),
                },
                websocket::OpenError::Other(failure) => failure,
            }
        })
    }

    pub(super) async fn exchange(
        &self,
        target: &AllowedUrl,
        request: HttpRequest,
    ) -> Result<HttpResponse, HttpFailure> {
        let client = self.client_for(target).await?;
        let builder = match request.method {
            Method::Get => client.get(target.url.clone()),
            Method::Post => client.post(target.url.clone()),
        };
        let builder = match request.body {
            Some(body) => builder.header(CONTENT_TYPE, JSON).body(body),
            None => builder,
        };
        let mut response = builder
            .header(ACCEPT, request.accept)
            .send()
            .await
            .map_err(|error| failure::exchange_failure(&error))?;
        let status = response.status();
        let retry_after_seconds = retry_after(response.headers());
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|place| place.to_str().ok())
            .map(|place| place.chars().take(MAX_URL).collect());
        let out_of_service =
            status == StatusCode::SERVICE_UNAVAILABLE && retry_after_seconds.is_some();
        if status == StatusCode::TOO_MANY_REQUESTS || out_of_service {
            self.rate_limit.pause(&target.origin, retry_after_seconds);
        }
        if response.content_length().is_some_and(|length| length > MAX_BODY as u64) {
            return too_long();
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) <= MAX_BODY => {
                    body.extend_from_slice(&chunk)
                }
                Ok(Some(_)) => return too_long(),
                Ok(None) => {
                    return Ok(HttpResponse {
                        status: status.as_u16(),
                        body,
                        retry_after_seconds,
                        location,
                    });
                }
                Err(_) => return Err(HttpFailure::Lost("the answer was cut off".to_owned())),
            }
        }
    }
}

#[async_trait]
impl Http for Web {
    /// Makes one exchange, once, within its deadline (at most an hour). Up to half of the deadline
    /// is spent waiting for our own rate limit. Every status counts as an answer, also a redirect;
    /// a 429, and a 503 with `Retry-After`, also pauses the origin.
    ///
    /// A missed deadline is `Lost`, except the 10 s for connecting: shorter deadlines do not show
    /// whether the request was sent.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let deadline = request.deadline.min(MAX_DEADLINE);
        let until = Instant::now() + deadline;
        let target = self.policy.check(&request.url, Protocol::Http)?;
        self.rate_limit.acquire(&target.origin, deadline / 2).await?;
        let outcome = match timeout_at(until, self.exchange(&target, request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpFailure::Lost("no answer in time".to_owned())),
        };
        if let Err(failure) = &outcome {
            debug!(origin = %target.origin, %failure, "an exchange failed");
        }
        outcome
    }

    /// Opens a websocket within 20 s, after up to 10 s for our own rate limit.
    async fn websocket(&self, url: &str) -> Result<Socket, HttpFailure> {
        let target = self.policy.check(url, Protocol::Websocket)?;
        self.rate_limit.acquire(&target.origin, CONNECT).await?;
        self.open(&target).await
    }
}

/// Installs the TLS cryptography of this process once.
fn install_ring() {
    static RING: Once = Once::new();
    RING.call_once(|| {
        // An error means that a provider is already installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn hardened(proxy: Option<Proxy>) -> ClientBuilder {
    install_ring();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .http1_only()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE.0)
        .pool_max_idle_per_host(IDLE.1)
        .no_proxy();
    match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    }
}

fn too_long<T>() -> Result<T, HttpFailure> {
    Err(HttpFailure::Lost(format!("the answer is longer than {MAX_BODY} bytes")))
}
