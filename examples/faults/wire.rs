//! A wallet in a process of its own, spoken to line by line: what is sent need not be JSON, and everything it prints is kept.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex as TurnMutex, oneshot};

use super::{Outcome, must};

/// No call may take longer.
const PATIENCE: Duration = Duration::from_secs(50);

#[derive(Debug, Default)]
struct Heard {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    lines: Mutex<Vec<String>>,
    errors: Mutex<String>,
}

/// A session with the wallet of a home.
#[derive(Debug)]
pub(crate) struct Wire {
    child: Child,
    input: TurnMutex<Option<ChildStdin>>,
    heard: Arc<Heard>,
    next: std::sync::atomic::AtomicU64,
}

/// What a tool answered.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) value: Value,
    pub(crate) is_error: bool,
    pub(crate) took: Duration,
}

impl Told {
    /// A text in it; empty where it is left out.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.value.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number in it; 0 where it is left out.
    pub(crate) fn sats(&self, field: &str) -> u64 {
        self.value.get(field).and_then(Value::as_u64).unwrap_or(0)
    }

    /// The code of a refusal; empty where it is none.
    pub(crate) fn code(&self) -> &str {
        if self.is_error { self.text("error") } else { "" }
    }
}

impl Wire {
    /// Starts the program on a home and shakes hands. `environment` comes on top of what every session gets.
    pub(crate) async fn start(program: &Path, home: &Path, environment: &[(&str, &str)]) -> Outcome<Self> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("NUTPURSE_KEYRING", "off")
            .env("NUTPURSE_LOG", "trace")
            .env("RUST_LOG", "trace");
        command.env("NUTPURSE_HOME", home).env("NUTPURSE_AGENT", "tester").envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let heard = Arc::new(Heard::default());
        let (output, errors) = (child.stdout.take().ok_or("no output")?, child.stderr.take().ok_or("no errors")?);
        tokio::spawn(listen(output, Arc::clone(&heard)));
        tokio::spawn(overhear(errors, Arc::clone(&heard)));
        let input = TurnMutex::new(child.stdin.take());
        let wire = Self { child, input, heard, next: std::sync::atomic::AtomicU64::new(1) };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "faults", "version": "1"}});
        wire.request("initialize", &hello.to_string()).await?;
        wire.line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.as_bytes()).await?;
        Ok(wire)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Outcome<u32> {
        Ok(self.child.id().ok_or("the wallet has ended")?)
    }

    /// Sends one line as it is.
    pub(crate) async fn line(&self, line: &[u8]) -> Outcome {
        let mut input = self.input.lock().await;
        let input = input.as_mut().ok_or("its input is closed")?;
        input.write_all(line).await?;
        input.write_all(b"\n").await?;
        Ok(input.flush().await?)
    }

    /// One request with parameters as they are written, and its whole answer.
    pub(crate) async fn request(&self, method: &str, parameters: &str) -> Outcome<Value> {
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let (tell, told) = oneshot::channel();
        self.heard.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, tell);
        self.line(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{parameters}}}"#).as_bytes()).await?;
        let answer = tokio::time::timeout(PATIENCE, told).await;
        Ok(answer.map_err(|_| format!("{method}: no answer in {PATIENCE:?}"))?.map_err(|_| format!("{method}: the wallet ended"))?)
    }

    /// Calls a tool with arguments as they are written.
    pub(crate) async fn call_raw(&self, tool: &str, arguments: &str) -> Outcome<Told> {
        let since = Instant::now();
        let answer = self.request("tools/call", &format!(r#"{{"name":{},"arguments":{arguments}}}"#, json!(tool))).await?;
        let took = since.elapsed();
        if let Some(error) = answer.get("error") {
            return Ok(Told { value: json!({"error": "protocol", "message": error}), is_error: true, took });
        }
        let result = answer.get("result").ok_or("an answer without a result")?;
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let value = match result.get("structuredContent") {
            Some(structured) => structured.clone(),
            None => serde_json::from_str(result.pointer("/content/0/text").and_then(Value::as_str).ok_or("an answer without text")?)?,
        };
        must!(took < Duration::from_secs(46), "{tool} took {took:?}");
        Ok(Told { value, is_error, took })
    }

    /// Calls a tool, whatever it answers.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Outcome<Told> {
        self.call_raw(tool, &arguments.to_string()).await
    }

    /// Calls a tool that must do it.
    pub(crate) async fn ok(&self, tool: &str, arguments: Value) -> Outcome<Told> {
        let told = self.call(tool, arguments.clone()).await?;
        must!(!told.is_error, "{tool} {arguments} was to be done, and answered {}", told.value);
        Ok(told)
    }

    /// Calls a tool that must refuse, with one of these codes, and with nothing moved.
    pub(crate) async fn refused(&self, tool: &str, arguments: Value, codes: &[&str]) -> Outcome<Told> {
        let told = self.call(tool, arguments.clone()).await?;
        must!(codes.contains(&told.code()), "{tool} {arguments} was to be refused with {codes:?}, and answered {}", told.value);
        must!(told.text("money_moved") == "no", "{tool} {arguments}: money moved: {}", told.value);
        Ok(told)
    }

    /// Every line on its standard output so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heard.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its standard error so far.
    pub(crate) fn errors(&self) -> String {
        self.heard.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Kills it as the kernel would.
    pub(crate) async fn kill(&mut self) -> Outcome {
        self.child.kill().await?;
        Ok(())
    }

    /// Closes its input and waits until it has ended.
    pub(crate) async fn end(&mut self) -> Outcome {
        self.input.lock().await.take();
        tokio::time::timeout(PATIENCE, self.child.wait()).await.map_err(|_| "the wallet does not end")??;
        Ok(())
    }
}

async fn listen(output: impl AsyncRead + Unpin, heard: Arc<Heard>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        heard.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        let id = message.get("id").and_then(Value::as_u64).filter(|_| message.get("method").is_none());
        let waiting = id.and_then(|id| heard.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id));
        if let Some(waiting) = waiting {
            let _gone = waiting.send(message);
        }
    }
    heard.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

async fn overhear(errors: impl AsyncRead + Unpin, heard: Arc<Heard>) {
    let mut lines = BufReader::new(errors).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut all = heard.errors.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_str(&line);
        all.push('\n');
    }
}
