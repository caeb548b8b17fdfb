//! A running wallet, and a client's session with it over its standard streams, line by line.
//!
//! Raw on purpose: every line of standard output is judged, and the client may do what a
//! well-behaved one does not. Standard error goes to a file that [`law`](crate::law) searches for
//! secrets.

use std::collections::HashMap;
use std::fs::File;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as AsyncMutex, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::watch::Watch;
use crate::{Outcome, fail, holds};

/// No tool's call may take longer, by the contract; one second more is for the machine.
const LONGEST_CALL: Duration = Duration::from_secs(46);
/// How long the client waits before it calls that a hang.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a wallet may take to end in order.
const ORDERLY_END: Duration = Duration::from_secs(60);

/// What a tool answered, and how long it took.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) value: Value,
    pub(crate) is_error: bool,
    pub(crate) took: Duration,
}

type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

/// A process of the wallet with a client.
#[derive(Debug)]
pub(crate) struct Session {
    process: Pid,
    child: AsyncMutex<Child>,
    input: Arc<AsyncMutex<Option<ChildStdin>>>,
    waiting: Waiting,
    next: AtomicU64,
    reading: watch::Sender<bool>,
    ended: AtomicBool,
    watch: Arc<Watch>,
    _reader: JoinSet<()>,
}

impl Session {
    /// Starts the command, and shakes hands as a client does.
    pub(crate) async fn start(command: Command, log: File, watch: Arc<Watch>) -> Outcome<Self> {
        let session = Self::spawn(command, log, watch)?;
        session.shake_hands().await?;
        Ok(session)
    }

    /// Starts the command.
    pub(crate) fn spawn(mut command: Command, log: File, watch: Arc<Watch>) -> Outcome<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn()?;
        let process =
            child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).ok_or("no process")?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let input = Arc::new(AsyncMutex::new(child.stdin.take()));
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let reading = watch::Sender::new(true);
        let mut reader = JoinSet::new();
        reader.spawn(read(
            output,
            Arc::clone(&input),
            Arc::clone(&waiting),
            reading.subscribe(),
            Arc::clone(&watch),
        ));
        Ok(Self {
            process,
            child: AsyncMutex::new(child),
            input,
            waiting,
            next: AtomicU64::new(1),
            reading,
            ended: AtomicBool::new(false),
            watch,
            _reader: reader,
        })
    }

    /// Shakes hands as a client does.
    pub(crate) async fn shake_hands(&self) -> Outcome {
        let us = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "faults", "version": "1"}});
        self.request("initialize", us).await?.ok_or("it ended before it shook hands")?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await
    }

    /// Calls a tool. `None`: the wallet ended before it answered.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Outcome<Option<Answer>> {
        let since = Instant::now();
        let answer =
            self.request("tools/call", json!({"name": tool, "arguments": &arguments})).await?;
        let took = since.elapsed();
        let Some(answer) = answer else { return Ok(None) };
        self.watch.took(took);
        holds(took <= LONGEST_CALL, format!("{tool} took {:.1} s", took.as_secs_f64()))?;
        match Answer::read(&answer, took) {
            Some(answer) => Ok(Some(answer)),
            None => fail(format!("{tool} {arguments}: {answer}")),
        }
    }

    /// Calls a tool that must answer.
    pub(crate) async fn told(&self, tool: &str, arguments: Value) -> Outcome<Answer> {
        Ok(self.call(tool, arguments).await?.ok_or_else(|| format!("it ended during {tool}"))?)
    }

    /// Calls a tool that must do it.
    pub(crate) async fn ok(&self, tool: &str, arguments: Value) -> Outcome<Answer> {
        let answer = self.told(tool, arguments).await?;
        if answer.is_error { fail(format!("{tool}: {}", answer.value)) } else { Ok(answer) }
    }

    /// A request of any method, and its answer. `None`: the wallet ended before it answered.
    pub(crate) async fn request(&self, method: &str, params: Value) -> Outcome<Option<Value>> {
        let (_, answer) = self.begin(method, params).await?;
        match timeout(PATIENCE, answer).await {
            Ok(answer) => Ok(answer.ok()),
            Err(_) => fail(format!("{method} was not answered within {} s", PATIENCE.as_secs())),
        }
    }

    /// Sends a request and leaves its answer to the caller. Its id is for
    /// `notifications/cancelled`.
    pub(crate) async fn begin(
        &self,
        method: &str,
        params: Value,
    ) -> Outcome<(u64, oneshot::Receiver<Value>)> {
        let (id, answer) = self.expect();
        // A wallet that is gone closes the pipe: then nobody answers.
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await
            .ok();
        Ok((id, answer))
    }

    /// The same with parameters as they are written, JSON or not.
    pub(crate) async fn begin_text(&self, method: &str, params: &str) -> oneshot::Receiver<Value> {
        let (id, answer) = self.expect();
        let line =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        self.send_bytes(line.as_bytes()).await.ok();
        answer
    }

    fn expect(&self) -> (u64, oneshot::Receiver<Value>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, answer) = oneshot::channel();
        if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            waiting.insert(id, tell);
        }
        (id, answer)
    }

    /// Sends a message of any shape.
    pub(crate) async fn send(&self, message: &Value) -> Outcome {
        self.send_bytes(message.to_string().as_bytes()).await
    }

    /// Sends a line of any bytes.
    pub(crate) async fn send_bytes(&self, line: &[u8]) -> Outcome {
        write(&self.input, line).await
    }

    /// Stops reading what the wallet says, as a client does that hangs; or reads on.
    pub(crate) fn read(&self, is_reading: bool) {
        self.reading.send_replace(is_reading);
    }

    /// What kills it, wherever it stands: for a rule's `then`.
    pub(crate) fn killer(&self) -> impl Fn() + Send + Sync + use<> + 'static {
        let process = self.process;
        move || {
            kill_process(process, Signal::KILL).ok();
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Outcome {
        Ok(kill_process(self.process, signal)?)
    }

    /// Its process's number.
    pub(crate) fn process(&self) -> i32 {
        self.process.as_raw_nonzero().get()
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn kill(&self) -> Outcome {
        if !self.ended.load(Ordering::SeqCst) {
            self.signal(Signal::KILL).ok();
        }
        self.gone().await?;
        Ok(())
    }

    /// Closes its input, and waits until it has ended in order.
    pub(crate) async fn close(&self) -> Outcome<Duration> {
        let since = Instant::now();
        self.input.lock().await.take();
        timeout(ORDERLY_END, self.gone())
            .await
            .map_err(|_| "it does not end when its input is closed")??;
        Ok(since.elapsed())
    }

    /// Closes its input, without waiting.
    pub(crate) async fn hang_up(&self) {
        self.input.lock().await.take();
    }

    /// Waits until the process is gone, whoever ended it.
    pub(crate) async fn gone(&self) -> Outcome<std::process::ExitStatus> {
        let status =
            timeout(Duration::from_secs(60), async { self.child.lock().await.wait().await });
        let status = status.await.map_err(|_| "the process did not end")??;
        self.ended.store(true, Ordering::SeqCst);
        Ok(status)
    }

    /// Whether the process is there.
    pub(crate) async fn is_alive(&self) -> bool {
        match self.child.try_lock() {
            Ok(mut child) => matches!(child.try_wait(), Ok(None)),
            Err(_) => !self.ended.load(Ordering::SeqCst),
        }
    }
}

async fn write(input: &AsyncMutex<Option<ChildStdin>>, line: &[u8]) -> Outcome {
    let mut input = input.lock().await;
    let input = input.as_mut().ok_or("its input is closed")?;
    input.write_all(line).await?;
    input.write_all(b"\n").await?;
    Ok(input.flush().await?)
}

/// Judges every line, and hands each answer to who waits for it, until the stream ends.
async fn read(
    output: ChildStdout,
    input: Arc<AsyncMutex<Option<ChildStdin>>>,
    waiting: Waiting,
    mut reading: watch::Receiver<bool>,
    watch: Arc<Watch>,
) {
    let (mut output, mut line) = (BufReader::new(output), Vec::new());
    loop {
        if reading.wait_for(|is_reading| *is_reading).await.is_err() {
            break;
        }
        line.clear();
        match output.read_until(b'\n', &mut line).await {
            Ok(1..) => {}
            _ => break,
        }
        // What a kill cut off in the middle is no line.
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        let Some(message) = watch.line(whole) else { continue };
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        if message.get("method").is_some() {
            if !id.is_null() {
                let no = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no such method"}});
                write(&input, no.to_string().as_bytes()).await.ok();
            }
            continue;
        }
        let waiting = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .and_then(|all| all.remove(&id.as_u64()?));
        if let Some(tell) = waiting {
            tell.send(message).ok();
        }
    }
    waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
}

impl Answer {
    /// What a tool answered by this message. `None`: that is no tool's answer.
    pub(crate) fn read(message: &Value, took: Duration) -> Option<Self> {
        let result = message.get("result")?;
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let value = match result.get("structuredContent") {
            Some(structured) => structured.clone(),
            None => serde_json::from_str(result.pointer("/content/0/text")?.as_str()?).ok()?,
        };
        Some(Self { value, is_error, took })
    }

    /// A number in it; 0 where it is left out.
    pub(crate) fn sats(&self, field: &str) -> u64 {
        self.value.get(field).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A text in it; empty where it is left out.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.value.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A yes in it.
    pub(crate) fn is(&self, field: &str) -> bool {
        self.value.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Its state, or its error's code.
    pub(crate) fn word(&self) -> &str {
        self.text(if self.is_error { "error" } else { "state" })
    }
}
