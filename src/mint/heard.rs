//! How often a mint was not heard: nothing came back, or something before it said that nothing is
//! there.
//!
//! Counts only. What an answer means is judged elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::Mint;
use crate::ports::{Http, HttpFailure, HttpRequest, HttpResponse, Socket};

/// Statuses by which a gateway speaks for a mint that is not there, or is not to be asked now.
const NOT_THERE: [u16; 4] = [429, 502, 503, 504];

/// The network as one mint is heard through it.
#[derive(Debug)]
pub(super) struct Heard {
    http: Arc<dyn Http>,
    unanswered: AtomicU64,
}

impl Heard {
    pub(super) fn new(http: Arc<dyn Http>) -> Self {
        Self { http, unanswered: AtomicU64::new(0) }
    }

    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Acquire)
    }
}

#[async_trait]
impl Http for Heard {
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
    /// How many exchanges with it were not answered so far. One more: it does not answer now.
    pub fn unanswered(&self) -> u64 {
        self.client.http.unanswered()
    }
}
