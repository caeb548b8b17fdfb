//! Writes lines. If a write is cancelled, the next one continues it, so that every line is written
//! whole.

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Queued bytes and their writer.
pub(super) struct FrameWriter<W> {
    writer: W,
    queued: Vec<u8>,
    /// The number of bytes of `queued` that have been written.
    written: usize,
    closed: bool,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer, queued: Vec::new(), written: 0, closed: false }
    }

    pub(super) fn queue(&mut self, line: &[u8]) {
        self.queued.extend_from_slice(line);
    }

    /// Writes and flushes all that is queued.
    ///
    /// Cancel safe: what was not written stays queued.
    pub(super) async fn drain(&mut self) -> std::io::Result<()> {
        if self.closed {
            return Err(std::io::ErrorKind::NotConnected.into());
        }
        while let Some(rest) = self.queued.get(self.written..).filter(|rest| !rest.is_empty()) {
            let wrote = self.writer.write(rest).await?;
            if wrote == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.written += wrote;
        }
        self.queued.clear();
        self.written = 0;
        self.writer.flush().await
    }

    pub(super) async fn close(&mut self) -> std::io::Result<()> {
        self.closed = true;
        self.writer.shutdown().await
    }
}
