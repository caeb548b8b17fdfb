//! Lines of a bounded length. A longer one is skipped to its end with nothing kept of it but the id
//! it names.

use rmcp::model::RequestId;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::peek::Peek;

/// What was read.
pub(crate) enum Line {
    /// A line without its end; never empty.
    Whole(Vec<u8>),
    /// A line that was too long and has passed by; the id of the request in it, where it could be
    /// told.
    TooLong(Option<RequestId>),
    /// The stream has ended. A last line without its end is dropped: it may be torn.
    End,
}

/// Reads lines.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    max: usize,
    /// Looks for an id in a line that is being skipped.
    skipping: Option<Peek>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(reader: R, max: usize) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, reader),
            line: Vec::new(),
            max,
            skipping: None,
        }
    }

    /// The next line.
    ///
    /// Cancel safe: the bytes of a line are kept across calls.
    pub(crate) async fn next(&mut self) -> std::io::Result<Line> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(Line::End);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = end.and_then(|end| available.get(..end)).unwrap_or(available);
            let used = part.len() + usize::from(end.is_some());
            if self.skipping.is_none() && self.line.len().saturating_add(part.len()) > self.max {
                let mut peek = Peek::default();
                peek.feed(&self.line);
                self.line = Vec::new();
                self.skipping = Some(peek);
            }
            match &mut self.skipping {
                Some(peek) => peek.feed(part),
                None => self.line.extend_from_slice(part),
            }
            self.reader.consume(used);
            if end.is_none() {
                continue;
            }
            if let Some(peek) = self.skipping.take() {
                return Ok(Line::TooLong(peek.id()));
            }
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                return Ok(Line::Whole(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(bytes, 16);
        let mut seen = Vec::new();
        while let Ok(line) = lines.next().await {
            match line {
                Line::Whole(line) => seen.push(String::from_utf8_lossy(&line).into_owned()),
                Line::TooLong(id) => seen.push(format!("too long {id:?}")),
                Line::End => break,
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
