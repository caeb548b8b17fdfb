//! The MCP server that offers the tools. The only module that uses rmcp.
//!
//! Never accesses a mint, a store or a relay, never decides to spend, and never logs arguments or
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

/// Reason why a session failed. Contains nothing that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Client and server have no common version of the protocol.
    #[error("the client and this server have no common version of MCP")]
    Handshake,
    /// The session's loop failed.
    #[error("the MCP session ended unexpectedly")]
    Broken,
}

/// Serves one session until its client leaves. A client that hangs up without a request is not an
/// error.
///
/// `caller` is the agent of every call. `source` is asked for the wallet only at the first call
/// that needs it. After the end of the input, calls under way have a few seconds to answer.
/// Payments continue in the wallet after that; the caller of this function waits for the wallet.
///
/// # Errors
/// [`SessionError`]. Nothing that a client sends causes one, except a handshake without a common
/// version.
///
/// # Cancel safety
/// Dropping the future ends the session without its last answers; no payment is interrupted.
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
