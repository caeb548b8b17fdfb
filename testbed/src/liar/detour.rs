//! A mint's address that sends everybody elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::runtime::Own;

#[derive(Clone)]
struct Sign {
    status: StatusCode,
    to: String,
    sent: Arc<AtomicUsize>,
}

/// A server that answers every request with a redirect to another origin.
#[derive(Debug)]
pub struct Detour {
    address: SocketAddr,
    sent: Arc<AtomicUsize>,
    _own: Own,
}

impl Detour {
    /// Redirects everybody with `status` (301, 307, ...) to the same path at `to`.
    pub async fn start(status: u16, to: &str) -> Result<Self> {
        let own = Own::new("detour", 1)?;
        let sent = Arc::new(AtomicUsize::new(0));
        let sign = Sign {
            status: StatusCode::from_u16(status)?,
            to: to.to_owned(),
            sent: Arc::clone(&sent),
        };
        let address = own
            .run(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                let router = Router::new().fallback(send_on).with_state(sign);
                tokio::spawn(async move { axum::serve(listener, router).await });
                Ok(address)
            })
            .await?;
        Ok(Self { address, sent, _own: own })
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has sent elsewhere.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

async fn send_on(State(sign): State<Sign>, request: Request) -> Response {
    sign.sent.fetch_add(1, Ordering::SeqCst);
    let place = format!("{}{}", sign.to, request.uri().path());
    (sign.status, [(header::LOCATION, place)], "").into_response()
}
