//! The library's transport: websockets from `ports::Http`, each behind its [`Gate`].
//!
//! The checked and pinned addresses, the message size limit, the rate limit and the proxy are the
//! same as for all other traffic. Never connects to a relay without a gate.

use std::collections::HashMap;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::SplitSink;
use futures::{Sink, SinkExt, StreamExt};
use nostr_relay_pool::ConnectionMode;
use nostr_relay_pool::transport::error::TransportError;
use nostr_relay_pool::transport::websocket::{WebSocketSink, WebSocketStream, WebSocketTransport};
use nostr_sdk::util::BoxedFuture;
use nostr_sdk::{RelayUrl, Url};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::gate::Gate;
use crate::ports::{Http, HttpFailure, Socket};

/// Opens connections to announced relays.
pub(super) struct Transport {
    http: Arc<dyn Http>,
    /// Announced relays: the URL as the owner wrote it, and the gate.
    announced: Mutex<HashMap<Url, (String, Weak<Gate>)>>,
    /// Counts the open connections.
    open: TaskTracker,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

impl Transport {
    pub(super) fn new(http: Arc<dyn Http>, open: TaskTracker) -> Self {
        Self { http, announced: Mutex::default(), open }
    }

    /// Allows connections to this relay, to the address `written` and through this gate.
    pub(super) fn announce(&self, url: &RelayUrl, written: &str, gate: &Arc<Gate>) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        announced.retain(|_, (_, gate)| gate.strong_count() > 0);
        let url: &Url = url.into();
        announced.insert(url.clone(), (written.to_owned(), Arc::downgrade(gate)));
    }

    fn announced(&self, url: &Url) -> Option<(String, Arc<Gate>)> {
        let announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        announced.get(url).and_then(|(written, gate)| Some((written.clone(), gate.upgrade()?)))
    }
}

impl WebSocketTransport for Transport {
    fn support_ping(&self) -> bool {
        true
    }

    fn connect<'a>(
        &'a self,
        url: &'a Url,
        _mode: &'a ConnectionMode,
        _timeout: Duration,
    ) -> BoxedFuture<'a, Result<(WebSocketSink, WebSocketStream), TransportError>> {
        Box::pin(async move {
            let nobody = || {
                TransportError::backend(HttpFailure::Refused(
                    "this relay was not requested".to_owned(),
                ))
            };
            let (written, gate) = self.announced(url).ok_or_else(nobody)?;
            let socket = self.http.websocket(&written).await.map_err(TransportError::backend)?;
            gate.reset();
            let (sink, stream) = socket.split();
            let sink = GatedSink { sink, gate: Arc::clone(&gate), _open: self.open.token() };
            let stream = stream.filter_map(move |message| {
                ready(match message {
                    Ok(message) => {
                        gate.admit(&message).map_err(TransportError::backend).transpose()
                    }
                    Err(error) => {
                        gate.set_failure(&error);
                        Some(Err(TransportError::backend(error)))
                    }
                })
            });
            Ok((Box::new(sink) as WebSocketSink, Box::pin(stream) as WebSocketStream))
        })
    }
}

/// The outgoing half of a websocket. It is a separate type because the library polls a sink again
/// after a failure, and `sink_map_err` then panics.
struct GatedSink {
    sink: SplitSink<Socket, Message>,
    gate: Arc<Gate>,
    _open: TaskTrackerToken,
}

impl Sink<async_wsocket::Message> for GatedSink {
    type Error = TransportError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), TransportError>> {
        self.sink.poll_ready_unpin(cx).map_err(TransportError::backend)
    }

    fn start_send(
        mut self: Pin<&mut Self>,
        message: async_wsocket::Message,
    ) -> Result<(), TransportError> {
        self.gate.observe_outgoing(&message);
        self.sink.start_send_unpin(message.into()).map_err(TransportError::backend)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), TransportError>> {
        self.sink.poll_flush_unpin(cx).map_err(TransportError::backend)
    }

    /// Sends the close frame without waiting for the peer.
    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), TransportError>> {
        let _ = self.sink.poll_close_unpin(cx);
        Poll::Ready(Ok(()))
    }
}
