//! A process of the wallet, and a client's session with it over its standard streams, line by line.
//!
//! It sends raw lines, so that a test can do what a well-behaved client does not, and so that every
//! line of standard output is judged.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as AsyncMutex, broadcast, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{Answer, Client, Outcome, Watch, fail, killer};
use crate::must;

/// The contract allows a call 45 seconds; one more is for the machine.
const LONGEST_CALL: Duration = Duration::from_secs(46);
/// The time after which a missing answer fails a request.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest orderly end of a wallet.
const ORDERLY_END: Duration = Duration::from_secs(60);

type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

/// A process of the wallet with a client.
#[derive(Debug)]
pub struct Session {
    process: Pid,
    child: AsyncMutex<Child>,
    input: Arc<AsyncMutex<Option<ChildStdin>>>,
    waiting: Waiting,
    next: AtomicU64,
    reading: watch::Sender<bool>,
    notices: broadcast::Sender<Value>,
    ended: AtomicBool,
    watch: Arc<Watch>,
    _reader: JoinSet<()>,
}

impl Session {
    /// Starts the command and initializes the session. `log` receives its standard error.
    pub async fn start(
        command: impl Into<Command>,
        log: impl Into<Stdio>,
        watch: &Arc<Watch>,
    ) -> Outcome<Self> {
        let session = Self::spawn(command, log, watch)?;
        session.shake_hands().await?;
        Ok(session)
    }

    /// Starts the command.
    pub fn spawn(
        command: impl Into<Command>,
        log: impl Into<Stdio>,
        watch: &Arc<Watch>,
    ) -> Outcome<Self> {
        let mut command = command.into();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn()?;
        let process =
            child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).ok_or("no process")?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let input = Arc::new(AsyncMutex::new(child.stdin.take()));
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let reading = watch::Sender::new(true);
        let notices = broadcast::Sender::new(64);
        let mut reader = JoinSet::new();
        reader.spawn(read(
            output,
            Arc::clone(&input),
            Arc::clone(&waiting),
            reading.subscribe(),
            notices.clone(),
            Arc::clone(watch),
        ));
        Ok(Self {
            process,
            child: AsyncMutex::new(child),
            input,
            waiting,
            next: AtomicU64::new(1),
            reading,
            notices,
            ended: AtomicBool::new(false),
            watch: Arc::clone(watch),
            _reader: reader,
        })
    }

    /// Initializes the session.
    pub async fn shake_hands(&self) -> Outcome {
        let us = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "harness", "version": "1"}});
        self.request("initialize", us).await?.ok_or("it ended before it was initialized")?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await
    }

    /// Sends a request of any method and waits for its answer. `None`: the wallet ended first.
    pub async fn request(&self, method: &str, params: Value) -> Outcome<Option<Value>> {
        let (_, answer) = self.begin(method, params).await?;
        match timeout(PATIENCE, answer).await {
            Ok(answer) => Ok(answer.ok()),
            Err(_) => fail(format!("{method} was not answered within {} s", PATIENCE.as_secs())),
        }
    }

    /// Sends a request. Returns its id, for `notifications/cancelled`, and its answer's receiver.
    pub async fn begin(
        &self,
        method: &str,
        params: Value,
    ) -> Outcome<(u64, oneshot::Receiver<Value>)> {
        let (id, answer) = self.expect();
        // A wallet that is gone has closed the pipe; then no answer comes.
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await
            .ok();
        Ok((id, answer))
    }

    /// Calls a tool and leaves its answer to the caller, as [`Self::begin`] does.
    pub async fn begin_call(
        &self,
        tool: &str,
        arguments: Value,
    ) -> Outcome<(u64, oneshot::Receiver<Value>)> {
        self.begin("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Lists the tools.
    pub async fn tools(&self) -> Outcome<Vec<Value>> {
        let listed = self.request("tools/list", json!({})).await?.ok_or("it ended")?;
        let tools = listed.pointer("/result/tools").and_then(Value::as_array);
        Ok(tools.ok_or_else(|| format!("no tools: {listed}"))?.clone())
    }

    /// Sends a request whose parameters are this text, JSON or not.
    pub async fn begin_text(&self, method: &str, params: &str) -> oneshot::Receiver<Value> {
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
    pub async fn send(&self, message: &Value) -> Outcome {
        self.send_bytes(message.to_string().as_bytes()).await
    }

    /// Sends a line of any bytes.
    pub async fn send_bytes(&self, line: &[u8]) -> Outcome {
        write(&self.input, line).await
    }

    /// Stops reading standard output, as a client that hangs does, or continues.
    pub fn read(&self, is_reading: bool) {
        self.reading.send_replace(is_reading);
    }

    /// Subscribes to the notifications of the server, from now on.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Value> {
        self.notices.subscribe()
    }

    /// A function that kills the process, for [`Rule::then`](crate::Rule::then).
    pub fn killer(&self) -> impl Fn() + Send + Sync + use<> + 'static {
        killer(self.process)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Outcome {
        Ok(kill_process(self.process, signal)?)
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> Pid {
        self.process
    }

    /// Kills it and waits until it is gone.
    pub async fn kill(&self) -> Outcome {
        if !self.ended.load(Ordering::SeqCst) {
            self.signal(Signal::KILL).ok();
        }
        self.gone().await?;
        Ok(())
    }

    /// Closes its input and waits until the process has ended. Returns the time that took.
    pub async fn close(&self) -> Outcome<Duration> {
        let since = Instant::now();
        self.input.lock().await.take();
        timeout(ORDERLY_END, self.gone())
            .await
            .map_err(|_| "it does not end when its input is closed")??;
        Ok(since.elapsed())
    }

    /// Closes its input, without waiting.
    pub async fn hang_up(&self) {
        self.input.lock().await.take();
    }

    /// Waits until the process has ended, whatever ended it.
    pub async fn gone(&self) -> Outcome<std::process::ExitStatus> {
        let status =
            timeout(Duration::from_secs(60), async { self.child.lock().await.wait().await });
        let status = status.await.map_err(|_| "the process did not end")??;
        self.ended.store(true, Ordering::SeqCst);
        Ok(status)
    }

    /// Returns whether the process is running.
    pub async fn is_alive(&self) -> bool {
        match self.child.try_lock() {
            Ok(mut child) => matches!(child.try_wait(), Ok(None)),
            Err(_) => !self.ended.load(Ordering::SeqCst),
        }
    }
}

#[async_trait]
impl Client for Session {
    /// Fails where the call took longer than the contract allows, or got a protocol error.
    async fn call(&self, tool: &str, arguments: Value) -> Outcome<Option<Answer>> {
        let since = Instant::now();
        let params = json!({"name": tool, "arguments": &arguments});
        let Some(message) = self.request("tools/call", params).await? else { return Ok(None) };
        let took = since.elapsed();
        self.watch.took(took);
        must!(took <= LONGEST_CALL, "{tool} took {:.1} s", took.as_secs_f64());
        let answer = Answer::read(&message, took)?;
        must!(answer.code() != "protocol", "{tool} {arguments}: {answer}");
        Ok(Some(answer))
    }
}

async fn write(input: &AsyncMutex<Option<ChildStdin>>, line: &[u8]) -> Outcome {
    let mut input = input.lock().await;
    let input = input.as_mut().ok_or("its input is closed")?;
    input.write_all(line).await?;
    input.write_all(b"\n").await?;
    Ok(input.flush().await?)
}

/// Judges every line and hands each answer to its receiver, until the stream ends.
async fn read(
    output: ChildStdout,
    input: Arc<AsyncMutex<Option<ChildStdin>>>,
    waiting: Waiting,
    mut reading: watch::Receiver<bool>,
    notices: broadcast::Sender<Value>,
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
        // A line without an end was cut off by a kill.
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        let Some(message) = watch.line(whole) else { continue };
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        if message.get("method").is_some() {
            if id.is_null() {
                notices.send(message).ok();
            } else {
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
