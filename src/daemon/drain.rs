//! The streams of a session that can be drained, between the socket and the MCP server.
//!
//! The reader counts the lines that the session was given. While it drains, it begins no new line.
//! An unread line was not acted on, and the shim is told how many were read.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead as _, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The reading half. When it drains, it ends after the current line.
pub(super) struct DrainingReader<R> {
    reader: BufReader<R>,
    closing: CancellationToken,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    at_line_start: bool,
    lines: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> DrainingReader<R> {
    /// Cancelling `closing` starts the drain.
    pub(super) fn new(reader: BufReader<R>, closing: CancellationToken) -> Self {
        let closed = Box::pin(closing.clone().cancelled_owned());
        Self { reader, closing, closed, at_line_start: true, lines: Arc::default() }
    }

    /// The number of lines read so far.
    pub(super) fn lines(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lines)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for DrainingReader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closing = this.closing.is_cancelled() || this.closed.as_mut().poll(context).is_ready();
        if closing && this.at_line_start {
            return Poll::Ready(Ok(()));
        }
        let available = ready!(Pin::new(&mut this.reader).poll_fill_buf(context))?;
        let end = match available.iter().position(|byte| *byte == b'\n') {
            Some(end) if closing => end.saturating_add(1),
            _ => available.len(),
        };
        let part = available.get(..end.min(into.remaining())).unwrap_or_default();
        into.put_slice(part);
        if let Some(last) = part.last() {
            this.at_line_start = *last == b'\n';
        }
        let lines = part.iter().filter(|byte| **byte == b'\n').count();
        this.lines.fetch_add(u64::try_from(lines).unwrap_or(u64::MAX), Ordering::Relaxed);
        let used = part.len();
        Pin::new(&mut this.reader).consume(used);
        Poll::Ready(Ok(()))
    }
}

/// The writing half. The session's end does not close it, since one more line follows.
pub(super) struct SharedWriter<W>(Arc<Mutex<W>>);

impl<W> SharedWriter<W> {
    pub(super) fn new(writer: W) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn inner(&self) -> MutexGuard<'_, W> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for SharedWriter<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_draining_reader_ends_the_line_it_has_begun_and_begins_no_other() -> io::Result<()> {
        let (mut far, near) = tokio::io::duplex(64);
        let closing = CancellationToken::new();
        let mut reader = DrainingReader::new(BufReader::new(near), closing.clone());
        let lines = reader.lines();
        far.write_all(b"one\ntwo\nthr").await?;
        let mut read = [0; 11];
        reader.read_exact(&mut read).await?;
        closing.cancel();
        far.write_all(b"ee\nfour\n").await?;
        let mut rest = String::new();
        reader.read_to_string(&mut rest).await?;
        assert_eq!((rest.as_str(), lines.load(Ordering::Relaxed)), ("ee\n", 3));
        Ok(())
    }

    #[tokio::test]
    async fn a_reader_that_waits_ends_when_the_drain_starts() -> io::Result<()> {
        let (_far, near) = tokio::io::duplex(64);
        let closing = CancellationToken::new();
        let mut reader = DrainingReader::new(BufReader::new(near), closing.clone());
        let mut nothing = String::new();
        let (read, ()) =
            tokio::join!(reader.read_to_string(&mut nothing), async { closing.cancel() });
        assert_eq!(read?, 0);
        Ok(())
    }
}
