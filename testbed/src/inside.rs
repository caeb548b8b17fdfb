//! How a mint carries a request out: to its end on a task of its own, whatever becomes of the
//! connection; or, when told to, no further than to one of its waits.
//!
//! A bare `axum::serve`, which is what cdk-mintd runs, drops a request with its connection. What
//! cdk does in one piece then goes on, a swap does not: its inputs stay PENDING until the mint is
//! started anew. That is [`cut`](crate::TestMint::cut), and happens here only on demand: everywhere
//! else a broken connection is a fault of the way, not of the mint.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// A request to cut off, as it was asked for.
#[derive(Debug, Clone)]
pub struct Cut {
    path: String,
    waits: usize,
    fired: Arc<AtomicBool>,
}

impl Cut {
    /// Whether a request was cut off; not if it came to its end before.
    #[must_use]
    pub fn fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }
}

/// The cuts that wait for their request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cuts(Arc<Mutex<Vec<Cut>>>);

impl Cuts {
    pub(crate) fn add(&self, path: &str, waits: usize) -> Cut {
        let cut = Cut { path: path.to_owned(), waits, fired: Arc::default() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(cut.clone());
        cut
    }

    fn take(&self, path: &str) -> Option<Cut> {
        let mut cuts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = cuts.iter().position(|cut| cut.path == path)?;
        Some(cuts.swap_remove(place))
    }
}

/// The middleware next to the mint's router. A request that was cut off is answered 500.
pub(crate) async fn carry_out(State(cuts): State<Cuts>, request: Request, next: Next) -> Response {
    let cut = cuts.take(request.uri().path());
    let work = next.run(request);
    let done = tokio::spawn(async move {
        let Some(cut) = cut else { return Some(work.await) };
        let done = up_to(work, cut.waits).await;
        cut.fired.store(done.is_none(), Ordering::SeqCst);
        done
    });
    done.await.ok().flatten().unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The outcome, unless it has to wait as often as that: then the work is dropped where it stands.
async fn up_to<T>(work: impl Future<Output = T>, waits: usize) -> Option<T> {
    let (mut work, mut waited) = (pin!(work), 0);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            waited += 1;
            if waited < waits { Poll::Pending } else { Poll::Ready(None) }
        }
    })
    .await
}
