//! Lines on their way out. A writer that was cut off between two bytes is taken up by the next one,
//! so that no line is ever torn.

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Queued bytes and where they go.
pub(super) struct Outbox<W> {
    writer: W,
    queued: Vec<u8>,
    /// How much of `queued` has been written.
    written: usize,
    closed: bool,
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer, queued: Vec::new(), written: 0, closed: false }
    }

    /// Adds a whole line.
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

    /// Writes no more.
    pub(super) async fn close(&mut self) -> std::io::Result<()> {
        self.closed = true;
        self.writer.shutdown().await
    }
}
