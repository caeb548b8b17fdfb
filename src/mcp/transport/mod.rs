//! The transport of a session: one JSON-RPC message per line, over any pair of streams.
//!
//! Nothing a peer sends ends the session or makes it hang: lines that are too long, broken, too
//! deep, batched or out of order are answered or ignored. It never buffers more than [`MAX_FRAME`],
//! never writes anything but whole lines of JSON-RPC, and never logs a line.

mod frame_reader;
mod frame_writer;
mod id_scanner;

use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ClientRequest, ErrorData, GetMeta, JsonRpcMessage, ProtocolVersion, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub(crate) use frame_reader::{Frame, FrameReader};
use frame_writer::FrameWriter;
use id_scanner::IdScanner;

/// Maximum length of a line that is read, in bytes: 4 MiB.
pub const MAX_FRAME: usize = 4 * 1024 * 1024;

/// Time limit at the end of a session for a writer that is stuck.
const CLOSE: Duration = Duration::from_secs(1);

/// A session's transport over a reading and a writing half.
pub(super) struct LineTransport<R, W> {
    frames: FrameReader<R>,
    out: Arc<Mutex<FrameWriter<W>>>,
    /// An answer of the transport itself that is not queued yet.
    reply: Option<Vec<u8>>,
    /// `true` if such an answer is queued and perhaps not flushed.
    unflushed: bool,
    /// `true` once a request that begins a session was read. Until then, messages that need no
    /// answer are dropped, because rmcp would end the session over them.
    begun: bool,
    /// Cancelled when the input ends.
    ended: CancellationToken,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> LineTransport<R, W> {
    /// `ended` is cancelled when the input ends, before the session is notified.
    pub(super) fn new(reader: R, writer: W, ended: CancellationToken) -> Self {
        Self {
            frames: FrameReader::new(reader, MAX_FRAME),
            out: Arc::new(Mutex::new(FrameWriter::new(writer))),
            reply: None,
            unflushed: false,
            begun: false,
            ended,
        }
    }

    /// Sends the transport's own answer. Resumes where a cancelled call stopped.
    async fn send_reply(&mut self) -> std::io::Result<()> {
        if self.reply.is_none() && !self.unflushed {
            return Ok(());
        }
        let mut out = self.out.lock().await;
        if let Some(line) = self.reply.take() {
            out.queue(&line);
            self.unflushed = true;
        }
        out.drain().await?;
        self.unflushed = false;
        Ok(())
    }

    async fn next_message(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            self.send_reply().await.ok()?;
            match self.frames.next().await.ok()? {
                Frame::End => return None,
                Frame::TooLong(id) => self.reply = too_long(id),
                Frame::Complete(line) => {
                    if let Some(message) = self.read(&line) {
                        return Some(message);
                    }
                }
            }
        }
    }

    fn read(&mut self, line: &[u8]) -> Option<RxJsonRpcMessage<RoleServer>> {
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let message = match serde_json::from_slice::<RxJsonRpcMessage<RoleServer>>(line) {
            Ok(message) => message,
            Err(error) => {
                self.reply = refusal(line, error.is_syntax() || error.is_eof());
                return None;
            }
        };
        if let JsonRpcMessage::Request(request) = &message {
            self.begun |= begins(&request.request);
        } else if !self.begun {
            return None;
        }
        Some(message)
    }
}

/// Returns `true` for a request after which rmcp's session loop runs: the handshake, or a request
/// that carries its own context.
fn begins(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            let known = meta
                .protocol_version()
                .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version));
            known && meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
        }
    }
}

/// The answer to a line that is not a message. `None` for text that does not look like JSON and for
/// notifications, which get no answer.
fn refusal(line: &[u8], broken: bool) -> Option<Vec<u8>> {
    let looks_like_json = line
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| matches!(byte, b'{' | b'['));
    if !looks_like_json {
        return None;
    }
    let mut scanner = IdScanner::default();
    scanner.feed(line);
    let id = scanner.id();
    if id.is_none() && scanner.has_method() {
        return None;
    }
    let error = if broken {
        ErrorData::parse_error("Invalid JSON.", None)
    } else {
        ErrorData::invalid_request("The line is not one JSON-RPC message.", None)
    };
    answer(id, error)
}

/// The answer to a line that was too long.
pub(crate) fn too_long(id: Option<RequestId>) -> Option<Vec<u8>> {
    answer(
        id,
        ErrorData::invalid_request(format!("The line is longer than {MAX_FRAME} bytes."), None),
    )
}

/// Builds an error answer; without a readable id, it has no `id`. JSON-RPC 2.0 asks for `null`, but
/// in MCP's schema (2025-11-25 and later) the id is optional and never null, and clients that
/// validate against it refuse a line with `null`.
fn answer(id: Option<RequestId>, error: ErrorData) -> Option<Vec<u8>> {
    encode(&TxJsonRpcMessage::<RoleServer>::error(error, id)).ok()
}

fn encode(message: &TxJsonRpcMessage<RoleServer>) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

impl<R, W> Transport<RoleServer> for LineTransport<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = std::io::Result<()>> + Send + 'static {
        let out = Arc::clone(&self.out);
        let line = encode(&item);
        async move {
            let line = line?;
            let mut out = out.lock().await;
            out.queue(&line);
            out.drain().await
        }
    }

    /// The next message; `None` at the end of the stream or when it breaks.
    ///
    /// Cancel safe: the next call continues a line half read or an answer half written.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let message = self.next_message().await;
        if message.is_none() {
            self.ended.cancel();
        }
        message
    }

    /// Closes the writer. Gives up on one that is stuck because the client does not read.
    async fn close(&mut self) -> std::io::Result<()> {
        let out = Arc::clone(&self.out);
        tokio::time::timeout(CLOSE, async move { out.lock().await.close().await })
            .await
            .unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_a_line_without_a_readable_id_has_no_id() {
        let line = |bytes: &[u8]| -> serde_json::Value {
            serde_json::from_slice(&refusal(bytes, true).unwrap()).unwrap()
        };
        let told = line(br#"{"id":null,"#);
        assert_eq!((told.get("id"), &told["error"]["code"]), (None, &serde_json::json!(-32700)));
        assert_eq!(line(br#"{"id":"a","method":"ping","#)["id"], "a");
    }
}
