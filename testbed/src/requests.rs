//! The log of every HTTP request that a mint of the bench saw, counted where the mint's own router
//! begins. It keeps no bodies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request as HttpRequest, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

/// What kind of request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// One request, one answer.
    Http,
    /// The upgrade to a websocket.
    WebSocket,
}

/// A request that a mint saw.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path, with the ids in it.
    pub path: String,
    /// One answer or a websocket.
    pub kind: RequestKind,
    /// When it came in.
    pub at: Instant,
    /// How long it was inside of the mint; zero while it still is.
    pub inside: Duration,
    /// The answer's status; `None` while there is none, and for good if the client left before.
    pub status: Option<u16>,
}

impl Request {
    /// `POST /v1/melt/quote/bolt11`: the method and the path without its ids.
    #[must_use]
    pub fn route(&self) -> String {
        let parts = self.path.split('/').filter(|part| part.len() < 16);
        format!("{} {}", self.method, parts.collect::<Vec<_>>().join("/"))
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct RequestLog(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    /// How many requests were taken out; a request's number is its place in the list plus this.
    taken: usize,
    list: Vec<Request>,
}

impl RequestLog {
    pub(crate) fn all(&self) -> Vec<Request> {
        self.pages().list.clone()
    }

    pub(crate) fn take(&self) -> Vec<Request> {
        let mut pages = self.pages();
        let list = std::mem::take(&mut pages.list);
        pages.taken += list.len();
        list
    }

    fn open(&self, request: Request) -> usize {
        let mut pages = self.pages();
        pages.list.push(request);
        pages.taken + pages.list.len() - 1
    }

    fn close(&self, number: usize, status: u16) {
        let mut pages = self.pages();
        let place = number.checked_sub(pages.taken);
        if let Some(request) = place.and_then(|place| pages.list.get_mut(place)) {
            request.inside = request.at.elapsed();
            request.status = Some(status);
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The middleware in front of the mint's router.
pub(crate) async fn record(
    State(log): State<RequestLog>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let number = log.open(Request {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        kind: if upgrade { RequestKind::WebSocket } else { RequestKind::Http },
        at: Instant::now(),
        inside: Duration::ZERO,
        status: None,
    });
    let response = next.run(request).await;
    log.close(number, response.status().as_u16());
    response
}
