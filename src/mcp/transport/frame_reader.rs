//! Reads lines of a bounded length. A longer line is skipped; only its id is kept.

use rmcp::model::RequestId;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::id_scanner::IdScanner;

/// One line of a session, which should hold one JSON-RPC message.
pub(crate) enum Frame {
    /// A line without its end; never empty.
    Complete(Vec<u8>),
    /// A line that was too long and was skipped; the id of the request in it, if one was found.
    TooLong(Option<RequestId>),
    /// The stream has ended. A last line without a line feed is dropped: it may be incomplete.
    End,
}

pub(crate) struct FrameReader<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    max: usize,
    /// Finds the id in a line that is being skipped.
    skipping: Option<IdScanner>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(reader: R, max: usize) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, reader),
            line: Vec::new(),
            max,
            skipping: None,
        }
    }

    /// The next frame.
    ///
    /// Cancel safe: the bytes of a line are kept across calls.
    pub(crate) async fn next(&mut self) -> std::io::Result<Frame> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(Frame::End);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = end.and_then(|end| available.get(..end)).unwrap_or(available);
            let used = part.len() + usize::from(end.is_some());
            if self.skipping.is_none() && self.line.len().saturating_add(part.len()) > self.max {
                let mut scanner = IdScanner::default();
                scanner.feed(&self.line);
                self.line = Vec::new();
                self.skipping = Some(scanner);
            }
            match &mut self.skipping {
                Some(scanner) => scanner.feed(part),
                None => self.line.extend_from_slice(part),
            }
            self.reader.consume(used);
            if end.is_none() {
                continue;
            }
            if let Some(scanner) = self.skipping.take() {
                return Ok(Frame::TooLong(scanner.id()));
            }
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                return Ok(Frame::Complete(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Vec<String> {
        let mut lines = FrameReader::new(bytes, 16);
        let mut seen = Vec::new();
        while let Ok(line) = lines.next().await {
            match line {
                Frame::Complete(line) => seen.push(String::from_utf8_lossy(&line).into_owned()),
                Frame::TooLong(id) => seen.push(format!("too long {id:?}")),
                Frame::End => break,
            }
        }
        seen
    }

    #[tokio::test]
    async fn a_line_over_the_cap_is_skipped_and_the_next_is_read() {
        let seen = read(
            b"{\"method\":\"a much longer line\",\"id\":7}\n{\"id\":1}\r\n\n0123456789abcdef\ntorn",
        )
        .await;
        assert_eq!(seen, ["too long Some(Number(7))", "{\"id\":1}", "0123456789abcdef"]);
    }
}
