//! The tools, and the MCP server that offers them. The only place that knows rmcp.
//!
//! Never sees a mint, a store or a relay; never decides to spend; nothing here logs arguments or
//! results.

#[cfg(feature = "testing")]
pub mod docs;
pub mod panics;
mod server;
mod transport;

use std::sync::Arc;

use rmcp::ServiceExt;
use rmcp::service::{QuitReason, ServerInitializeError};
use tokio::io::{AsyncRead, AsyncWrite};

pub use transport::MAX_FRAME;
pub(crate) use transport::{Frame, FrameReader, too_long};

use crate::api::Source;
use crate::wallet::Caller;

/// Why a session failed. Says nothing of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No common version of the protocol.
    #[error("the client and this server have no common version of MCP")]
    Handshake,
    /// The session's loop broke.
    #[error("the MCP session broke off")]
    Broken,
}

/// Serves one session, until its client leaves. A client that only looks and hangs up is a session
/// like any other.
///
/// `caller` is the agent of every call in it; `source` is asked for the wallet at the first call
/// that needs it, not before. After the end of the input, calls under way have a few seconds to
/// answer; what moves money goes on after that by itself, and whoever called this waits for the
/// wallet.
///
/// # Errors
/// [`SessionError`]; never because of what a client sent, but for a handshake that cannot be agreed
/// on.
///
/// # Cancel safety
/// Dropping the future ends the session without its last answers; no payment is cut.
pub async fn serve<R, W>(
    source: Arc<dyn Source>,
    caller: Caller,
    reader: R,
    writer: W,
) -> Result<(), SessionError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let server = server::Server::new(source, caller);
    let updates = server.updates();
    let outcome = match server
        .serve(transport::LineTransport::new(reader, writer, updates.input_ended()))
        .await
    {
        Ok(session) => match session.waiting().await {
            Ok(QuitReason::JoinError(_)) | Err(_) => Err(SessionError::Broken),
            Ok(_) => Ok(()),
        },
        Err(ServerInitializeError::InitializeFailed(_)) => Err(SessionError::Handshake),
        // The pipe closed before a session had begun: a probe that hung up.
        Err(_) => Ok(()),
    };
    updates.end().await;
    outcome
}
