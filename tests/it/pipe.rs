//! A session over a pipe in memory, line by line, and a wallet that opens when a test lets it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nutpurse::testing::api::Source;
use nutpurse::testing::mcp::{self, SessionError};
use nutpurse::testing::wallet::{Caller, Wallet};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::tools::Busy;
use crate::world::has;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn serve(
    source: Arc<dyn Source>,
) -> (DuplexStream, JoinHandle<Result<(), SessionError>>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(theirs);
    (ours, tokio::spawn(mcp::serve(source, Caller { agent: "test".to_owned() }, reader, writer)))
}

/// A pipe that speaks lines.
pub(crate) struct Raw {
    pub(crate) reader: BufReader<ReadHalf<DuplexStream>>,
    pub(crate) writer: WriteHalf<DuplexStream>,
    pub(crate) session: JoinHandle<Result<(), SessionError>>,
}

impl Raw {
    pub(crate) fn new(source: Arc<dyn Source>) -> Self {
        let (pipe, session) = serve(source);
        let (reader, writer) = tokio::io::split(pipe);
        Self { reader: BufReader::new(reader), writer, session }
    }

    pub(crate) async fn send(&mut self, line: impl AsRef<[u8]>) -> Outcome {
        self.writer.write_all(line.as_ref()).await?;
        self.writer.write_all(b"\n").await?;
        Ok(())
    }

    pub(crate) async fn next(&mut self) -> Result<Value, Box<dyn Error>> {
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, self.reader.read_line(&mut line))
            .await
            .map_err(|_| "no answer came")??;
        Ok(serde_json::from_str(&line)?)
    }

    pub(crate) async fn ask(&mut self, line: impl AsRef<[u8]>) -> Result<Value, Box<dyn Error>> {
        self.send(line).await?;
        self.next().await
    }

    pub(crate) async fn initialized(source: Arc<dyn Source>) -> Result<Self, Box<dyn Error>> {
        let mut raw = Self::new(source);
        raw.ask(initialize(0)).await?;
        raw.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string())
            .await?;
        Ok(raw)
    }

    /// The session still answers.
    pub(crate) async fn is_alive(&mut self) -> Outcome {
        let answer = self
            .ask(json!({"jsonrpc": "2.0", "id": "alive", "method": "ping"}).to_string())
            .await?;
        has(&answer, json!({"id": "alive", "result": {}}));
        Ok(())
    }

    pub(crate) async fn hang_up(self) -> Result<(), Box<dyn Error>> {
        let Self { reader, writer, session } = self;
        drop((reader, writer));
        Ok(tokio::time::timeout(PATIENCE, session).await???)
    }
}

pub(crate) fn initialize(id: u32) -> String {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}).to_string()
}

pub(crate) fn meta() -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}})
}

/// A wallet that opens when the test lets it, and tells when it has been opened.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) open: Semaphore,
    pub(crate) opened: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { open: Semaphore::new(0), opened: Semaphore::new(0) })
    }
}

#[async_trait]
impl Source for Gate {
    async fn wallet(&self) -> Result<Wallet, nutpurse::testing::api::Error> {
        let passed = self.open.acquire().await;
        self.opened.add_permits(1);
        drop(passed);
        Busy.wallet().await
    }
}

pub(crate) fn slow_call(id: u32) -> String {
    let params = json!({"name": "get_balance", "arguments": {}, "_meta": {"progressToken": "t"}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}
