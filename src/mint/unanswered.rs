//! Counts the exchanges a mint did not answer: no response, or a gateway's 429, 502, 503 or 504.
//!
//! Only counts; `classify` interprets responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::Mint;
use crate::ports::{Http, HttpFailure, HttpRequest, HttpResponse, Socket};

/// Statuses that a gateway sends in place of the mint.
const NOT_THERE: [u16; 4] = [429, 502, 503, 504];

/// HTTP port of one mint, with a count of unanswered exchanges.
#[derive(Debug)]
pub(super) struct CountingHttp {
    http: Arc<dyn Http>,
    unanswered: AtomicU64,
}

impl CountingHttp {
    pub(super) fn new(http: Arc<dyn Http>) -> Self {
        Self { http, unanswered: AtomicU64::new(0) }
    }

    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Acquire)
    }
}

#[async_trait]
impl Http for CountingHttp {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let answer = self.http.send(request).await;
        if answer.as_ref().map_or(true, |answer| NOT_THERE.contains(&answer.status)) {
            self.unanswered.fetch_add(1, Ordering::AcqRel);
        }
        answer
    }

    async fn websocket(&self, url: &str) -> Result<Socket, HttpFailure> {
        self.http.websocket(url).await
    }
}

impl Mint {
    /// Returns the number of unanswered exchanges so far. If it rises, the mint is silent now.
    pub fn unanswered(&self) -> u64 {
        self.client.http.unanswered()
    }
}
