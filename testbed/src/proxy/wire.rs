//! HTTP/1.1 as far as the proxy needs it: a head, headers, and a body by its length, in chunks or
//! until the end. Raw on purpose, since the proxy must close, cut and garble where a library would
//! not.

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt};

const MOST: usize = 64 * 1024 * 1024;

/// A request or an answer.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads the next message of a connection; `None` at its end. What was read beyond the message
    /// stays in `buffer`.
    pub(crate) async fn read(
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Self>> {
        let end = loop {
            if let Some(end) = find(buffer, b"\r\n\r\n") {
                break end;
            }
            if !more(stream, buffer).await? {
                ensure!(buffer.is_empty(), "the connection ended inside of a head");
                return Ok(None);
            }
        };
        let head: Vec<u8> = buffer.drain(..end + 4).collect();
        let mut message = Self::parse(&String::from_utf8_lossy(&head))?;
        message.body = message.read_body(stream, buffer).await?;
        Ok(Some(message))
    }

    fn parse(head: &str) -> Result<Self> {
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let first_line = lines.next().context("an empty head")?.to_owned();
        let split = |line: &str| {
            let (name, value) = line.split_once(':').context("a header without a colon")?;
            Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.map(split).collect::<Result<_>>()?;
        Ok(Self { first_line, headers, body: Vec::new() })
    }

    async fn read_body(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut Vec<u8>,
    ) -> Result<Vec<u8>> {
        if let Some(length) = self.header("content-length") {
            let length: usize = length.parse().context("a length that is no number")?;
            return take(stream, buffer, length).await;
        }
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return chunks(stream, buffer).await;
        }
        if self.is_answer() && self.status() != Some(101) && self.status() != Some(204) {
            while more(stream, buffer).await? {}
            return Ok(std::mem::take(buffer));
        }
        Ok(Vec::new())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn method(&self) -> &str {
        self.first_line.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        let target = self.first_line.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.first_line.split(' ').nth(1)?.parse().ok().filter(|_| self.is_answer())
    }

    fn is_answer(&self) -> bool {
        self.first_line.starts_with("HTTP/")
    }

    /// The message as it goes over the wire, its body's length stated; `connection` replaces that
    /// header.
    pub(crate) fn bytes(&self, connection: &str) -> Vec<u8> {
        let ours = ["connection", "content-length", "transfer-encoding", "keep-alive"];
        let mut head = format!("{}\r\n", self.first_line);
        for (name, value) in self.headers.iter().filter(|(name, _)| !ours.contains(&name.as_str()))
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.is_answer() || !self.body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str(&format!("connection: {connection}\r\n\r\n"));
        [head.into_bytes(), self.body.clone()].concat()
    }

    /// An answer of the proxy's own.
    pub(crate) fn answer(status: u16, content_type: &str, body: &str) -> Self {
        Self {
            first_line: format!("HTTP/1.1 {status} Testbed"),
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }

    /// An error as a mint states it.
    pub(crate) fn refusal(code: u16) -> Self {
        let body = serde_json::json!({ "code": code, "detail": "the proxy of the bench" });
        Self::answer(400, "application/json", &body.to_string())
    }
}

async fn chunks(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            match find(buffer, b"\r\n") {
                Some(end) => break end,
                None => ensure!(more(stream, buffer).await?, "the connection ended in a chunk"),
            }
        };
        let line: Vec<u8> = buffer.drain(..end + 2).collect();
        let line = String::from_utf8_lossy(&line);
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).context("a chunk without a size")?;
        let chunk = take(stream, buffer, size.checked_add(2).context("a chunk too large")?).await?;
        if size == 0 {
            return Ok(body);
        }
        body.extend(chunk.into_iter().take(size));
    }
}

async fn take(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    length: usize,
) -> Result<Vec<u8>> {
    while buffer.len() < length {
        if !more(stream, buffer).await? {
            bail!("the connection ended inside of a body");
        }
    }
    Ok(buffer.drain(..length).collect())
}

async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Result<bool> {
    ensure!(buffer.len() < MOST, "a message too large for the bench");
    Ok(stream.read_buf(buffer).await? > 0)
}

fn find(buffer: &[u8], what: &[u8]) -> Option<usize> {
    buffer.windows(what.len()).position(|window| window == what)
}
