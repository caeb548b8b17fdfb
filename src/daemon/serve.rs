//! The daemon: serves sessions to processes of its user, from one wallet, until it is idle.
//!
//! It holds the folder's lock until it ends. It listens only on the folder's socket, never on a
//! network. When it ends, it removes the socket first, lets every session finish the calls that it
//! has begun, and releases the lock last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::connect::ConnectOptions;
use super::drain::{DrainingReader, SharedWriter};
use super::handshake::{
    self, Hello, LINES_READ, PROTOCOL, Refusal, Status, VERSION, Want, Welcome,
};
use super::lock::{Lock, LockText};
use super::socket::{self, SocketError};
use crate::api::Source;
use crate::config::env::is_agent_name;
use crate::config::{Environment, Home};
use crate::mcp;
use crate::wallet::{Caller, core::clock};

/// Time limit for the handshake of a process that connects.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_SESSIONS: usize = 128;
/// Interval between checks that the daemon's folder still exists.
const FOLDER_CHECK: Duration = Duration::from_secs(2);
/// Time limit for sessions to finish their calls when the daemon ends. The wallet then has a time
/// limit of its own.
const LAST_CALLS: Duration = Duration::from_secs(10);
/// Minimum time to wait for the first session: the shim that started the daemon is about to
/// connect.
const FIRST_SESSION: Duration = Duration::from_secs(5);
/// Maximum interval at which an idle daemon with open work checks whether it can end.
const OPEN_CHECK: Duration = Duration::from_secs(60);

/// Reason why the daemon cannot serve.
#[derive(Debug, thiserror::Error)]
#[error("the wallet's socket cannot be created: {0}")]
pub struct DaemonError(String);

impl From<SocketError> for DaemonError {
    fn from(error: SocketError) -> Self {
        Self(error.to_string())
    }
}

/// The state that all sessions share.
struct Daemon {
    source: Arc<dyn Source>,
    folder: String,
    settings: String,
    token: String,
    since: u64,
    idle: Duration,
    /// Cancelled once no session may begin a new line.
    finishing: CancellationToken,
    agents: Mutex<BTreeMap<u64, String>>,
    sessions: watch::Sender<usize>,
}

/// Serves the wallet behind `source` until `shutdown` returns, a program asks the daemon to finish,
/// the folder is gone, or no session and nothing else was open for as long as `idle`.
///
/// # Errors
/// [`DaemonError`]: no session was served.
///
/// # Cancel safety
/// Dropping the future ends all sessions without their last answers; no payment is interrupted.
pub async fn serve(
    mut lock: Lock,
    home: &Home,
    source: Arc<dyn Source>,
    environment: &Environment,
    idle: Duration,
    shutdown: impl Future<Output = ()>,
) -> Result<Lock, DaemonError> {
    let token = Uuid::new_v4().simple().to_string();
    let note = LockText { token: token.clone(), version: VERSION.to_owned() };
    lock.write_note(&note).map_err(|error| DaemonError(error.to_string()))?;
    let listener = socket::listen(home)?;
    let socket_id = socket::file_id(home);
    let daemon = Arc::new(Daemon {
        source,
        folder: handshake::folder_id(home),
        settings: ConnectOptions::settings(environment),
        token,
        since: clock::now(),
        idle,
        finishing: CancellationToken::new(),
        agents: Mutex::default(),
        sessions: watch::Sender::new(0),
    });
    tracing::info!(version = VERSION, "the daemon serves the wallet");
    let sessions = TaskTracker::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if socket::is_same_user(&stream) => {
                    drop(sessions.spawn(Arc::clone(&daemon).accept(stream)))
                }
                Ok(_) => {
                    tracing::warn!("a connection from a process of another user was refused")
                }
                Err(error) => {
                    tracing::warn!(%error, "a session was not accepted");
                    sleep(HANDSHAKE_TIMEOUT).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => tracing::info!("ending: the system asked the daemon to stop"),
        () = daemon.finishing.cancelled() => tracing::info!("ending: a program asked the daemon to finish"),
        () = daemon.until_idle() => tracing::info!("ending: no session, and nothing is open"),
        () = until_folder_gone(&lock, home, &socket_id) => tracing::warn!("the folder or its socket is gone: ending"),
    }
    if lock.is_in_place() && socket::file_id(home) == socket_id {
        socket::remove(home);
    }
    drop(listener);
    daemon.finishing.cancel();
    sessions.close();
    if timeout(LAST_CALLS, sessions.wait()).await.is_err() {
        tracing::warn!("a client did not read its last answers; its session was dropped");
    }
    Ok(lock)
}

/// Returns when the lock file or the socket is no longer in its place, so that no process can
/// connect.
async fn until_folder_gone(lock: &Lock, home: &Home, socket_id: &Option<(u64, u64)>) {
    let mut look = interval(FOLDER_CHECK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if !lock.is_in_place() || socket::file_id(home) != *socket_id {
            return;
        }
    }
}

impl Daemon {
    /// Returns when there was no session for `idle`, and nothing is open.
    async fn until_idle(&self) {
        let mut sessions = self.sessions.subscribe();
        let mut patience = self.idle.max(FIRST_SESSION);
        loop {
            if sessions.wait_for(|count| *count == 0).await.is_err() {
                return;
            }
            tokio::select! {
                _somebody = sessions.wait_for(|count| *count > 0) => patience = self.idle,
                () = sleep(patience) => {
                    if !self.source.has_open().await {
                        return;
                    }
                    tracing::debug!("stays: something is open");
                    patience = self.idle.min(OPEN_CHECK);
                }
            }
        }
    }

    /// Does the handshake with a process that has connected, and carries out its request.
    async fn accept(self: Arc<Self>, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let Ok(Ok(hello)) = timeout(HANDSHAKE_TIMEOUT, handshake::read::<Hello>(&mut reader)).await
        else {
            return;
        };
        let refused = self.refusal(&hello);
        let status = match hello.want {
            Want::Status if refused.is_none() => Some(self.status().await),
            _ => None,
        };
        let welcome = Welcome {
            protocol: PROTOCOL,
            version: VERSION.to_owned(),
            settings: self.settings.clone(),
            refused,
            status,
        };
        let said = async { writer.write_all(&handshake::line(&welcome)?).await };
        if !matches!(timeout(HANDSHAKE_TIMEOUT, said).await, Ok(Ok(()))) || refused.is_some() {
            return;
        }
        match hello.want {
            Want::Session => self.serve_session(hello.agent, reader, writer).await,
            Want::Finish => self.finishing.cancel(),
            Want::Status => {}
        }
    }

    fn refusal(&self, hello: &Hello) -> Option<Refusal> {
        if hello.token != self.token {
            return Some(Refusal::Token);
        }
        if hello.want == Want::Finish {
            return None;
        }
        let full = || self.agents().len() >= MAX_SESSIONS;
        match () {
            () if hello.protocol != PROTOCOL => Some(Refusal::Protocol),
            () if hello.folder != self.folder => Some(Refusal::Folder),
            () if !is_agent_name(&hello.agent) => Some(Refusal::Agent),
            () if hello.want == Want::Session && self.finishing.is_cancelled() => {
                Some(Refusal::Finishing)
            }
            () if hello.want == Want::Session && full() => Some(Refusal::Full),
            () => None,
        }
    }

    async fn status(&self) -> Status {
        let agents = self.agents().values().cloned().collect();
        Status {
            pid: std::process::id(),
            version: VERSION.to_owned(),
            since: self.since,
            agents,
            has_open: self.source.has_open().await,
            disputed: self.source.disputed().await,
            idle_seconds: self.idle.as_secs(),
        }
    }

    fn agents(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, String>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one session; then tells the shim how many lines were read.
    async fn serve_session(
        self: Arc<Self>,
        agent: String,
        reader: BufReader<OwnedReadHalf>,
        writer: OwnedWriteHalf,
    ) {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let _entry = SessionEntry::new(&self, NUMBERS.fetch_add(1, Ordering::Relaxed), &agent);
        let reader = DrainingReader::new(reader, self.finishing.clone());
        let lines = reader.lines();
        let mut shared = SharedWriter::new(writer);
        if let Err(error) =
            mcp::serve(Arc::clone(&self.source), Caller { agent }, reader, shared.share()).await
        {
            tracing::info!(%error, "a session ended");
        }
        let read = format!("{LINES_READ}{}\n", lines.load(Ordering::Relaxed));
        let last = async {
            shared.write_all(read.as_bytes()).await?;
            shared.flush().await
        };
        let _gone_already = timeout(HANDSHAKE_TIMEOUT, last).await;
    }
}

/// Counts a session while it lives.
struct SessionEntry<'a> {
    daemon: &'a Daemon,
    number: u64,
}

impl<'a> SessionEntry<'a> {
    fn new(daemon: &'a Daemon, number: u64, agent: &str) -> Self {
        let mut agents = daemon.agents();
        agents.insert(number, agent.to_owned());
        daemon.sessions.send_replace(agents.len());
        drop(agents);
        Self { daemon, number }
    }
}

impl Drop for SessionEntry<'_> {
    fn drop(&mut self) {
        let mut agents = self.daemon.agents();
        agents.remove(&self.number);
        self.daemon.sessions.send_replace(agents.len());
    }
}
