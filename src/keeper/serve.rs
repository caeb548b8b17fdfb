//! The keeper: serves a session to whoever of its user comes, from one wallet, until nobody needs
//! it.
//!
//! Holds the folder's lock all its life. Listens on the folder's socket alone, never on a network.
//! At its end it takes the socket away first, lets every session finish the calls that it has
//! begun, and lets the lock go last.

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

use super::elect::Way;
use super::gate::{Gate, Shared};
use super::hello::{self, Hello, PROTOCOL, READ, Refusal, Status, VERSION, Want, Welcome};
use super::lock::{Lock, Note};
use super::socket::{self, SocketError};
use crate::config::env::is_agent_name;
use crate::config::{Environment, Home};
use crate::mcp;
use crate::wallet::{Caller, Source, clock};

/// How long a stranger may take to say who it is.
const HELLO: Duration = Duration::from_secs(3);
/// The most sessions at a time.
const SESSIONS: usize = 128;
/// How often the folder is looked at: a keeper of a folder that is gone keeps nothing.
const LOOK: Duration = Duration::from_secs(2);
/// How long sessions get for the calls that they have begun. The wallet gets its own time after
/// that.
const LAST_CALLS: Duration = Duration::from_secs(10);
/// How long the first session is waited for, at the least: whoever started the keeper is on its
/// way.
const FIRST: Duration = Duration::from_secs(5);
/// How long an idle keeper with something open waits before it looks again, at the most.
const OPEN: Duration = Duration::from_secs(60);

/// Why there is no keeper.
#[derive(Debug, thiserror::Error)]
#[error("the wallet's socket cannot be made: {0}")]
pub struct KeepError(String);

impl From<SocketError> for KeepError {
    fn from(error: SocketError) -> Self {
        Self(error.to_string())
    }
}

/// What all sessions share.
struct Keeper {
    source: Arc<dyn Source>,
    folder: String,
    settings: String,
    token: String,
    since: u64,
    idle: Duration,
    /// No new line is begun in any session.
    finishing: CancellationToken,
    agents: Mutex<BTreeMap<u64, String>>,
    sessions: watch::Sender<usize>,
}

/// Keeps the wallet behind `source`, until `told` returns, a program asks it to finish, the folder
/// is gone, or nobody has come and nothing was open for as long as `idle`.
///
/// # Errors
/// [`KeepError`]: nobody was served.
///
/// # Cancel safety
/// Dropping the future ends all sessions without their last answers; no payment is cut.
pub async fn keep(
    mut lock: Lock,
    home: &Home,
    source: Arc<dyn Source>,
    environment: &Environment,
    idle: Duration,
    told: impl Future<Output = ()>,
) -> Result<Lock, KeepError> {
    let token = Uuid::new_v4().simple().to_string();
    let note = Note { token: token.clone(), version: VERSION.to_owned() };
    lock.note(&note).map_err(|error| KeepError(error.to_string()))?;
    let listener = socket::listen(home)?;
    let place = socket::place(home);
    let keeper = Arc::new(Keeper {
        source,
        folder: hello::folder(home),
        settings: Way::settings(environment),
        token,
        since: clock::now(),
        idle,
        finishing: CancellationToken::new(),
        agents: Mutex::default(),
        sessions: watch::Sender::new(0),
    });
    tracing::info!(version = VERSION, "keeps the wallet");
    let sessions = TaskTracker::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if socket::is_ours(&stream) => {
                    drop(sessions.spawn(Arc::clone(&keeper).meet(stream)))
                }
                Ok(_) => {
                    tracing::warn!("a process of another user came to the socket and was sent away")
                }
                Err(error) => {
                    tracing::warn!(%error, "a session was not accepted");
                    sleep(HELLO).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = told => tracing::info!("was told to end"),
        () = keeper.finishing.cancelled() => tracing::info!("was asked to finish"),
        () = keeper.nobody_needs_it() => tracing::info!("nobody needs it"),
        () = gone(&lock, home, &place) => tracing::warn!("its folder or its socket is gone"),
    }
    if lock.is_in_place() && socket::place(home) == place {
        socket::remove(home);
    }
    drop(listener);
    keeper.finishing.cancel();
    sessions.close();
    if timeout(LAST_CALLS, sessions.wait()).await.is_err() {
        tracing::warn!("a session's last answers are not read; it is left");
    }
    Ok(lock)
}

/// Returns when the lock's file or the socket is no longer where it was: nobody new can come then.
async fn gone(lock: &Lock, home: &Home, place: &Option<(u64, u64)>) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if !lock.is_in_place() || socket::place(home) != *place {
            return;
        }
    }
}

impl Keeper {
    /// Returns when there was no session for as long as `idle`, and nothing is open.
    async fn nobody_needs_it(&self) {
        let mut sessions = self.sessions.subscribe();
        let mut patience = self.idle.max(FIRST);
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
                    patience = self.idle.min(OPEN);
                }
            }
        }
    }

    /// Somebody has come.
    async fn meet(self: Arc<Self>, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let Ok(Ok(hello)) = timeout(HELLO, hello::read::<Hello>(&mut reader)).await else { return };
        let refused = self.refuses(&hello);
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
        let said = async { writer.write_all(&hello::line(&welcome)?).await };
        if !matches!(timeout(HELLO, said).await, Ok(Ok(()))) || refused.is_some() {
            return;
        }
        match hello.want {
            Want::Session => self.serve(hello.agent, reader, writer).await,
            Want::Finish => self.finishing.cancel(),
            Want::Status => {}
        }
    }

    fn refuses(&self, hello: &Hello) -> Option<Refusal> {
        if hello.token != self.token {
            return Some(Refusal::Token);
        }
        if hello.want == Want::Finish {
            return None;
        }
        let full = || self.agents().len() >= SESSIONS;
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

    /// One session, and how far it has read.
    async fn serve(
        self: Arc<Self>,
        agent: String,
        reader: BufReader<OwnedReadHalf>,
        writer: OwnedWriteHalf,
    ) {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let _here = Here::new(&self, NUMBERS.fetch_add(1, Ordering::Relaxed), &agent);
        let gate = Gate::new(reader, self.finishing.clone());
        let lines = gate.lines();
        let mut shared = Shared::new(writer);
        if let Err(error) =
            mcp::serve(Arc::clone(&self.source), Caller { agent }, gate, shared.another()).await
        {
            tracing::info!(%error, "a session ended");
        }
        let read = format!("{READ}{}\n", lines.load(Ordering::Relaxed));
        let last = async {
            shared.write_all(read.as_bytes()).await?;
            shared.flush().await
        };
        let _gone_already = timeout(HELLO, last).await;
    }
}

/// A session that counts while it lives.
struct Here<'a> {
    keeper: &'a Keeper,
    number: u64,
}

impl<'a> Here<'a> {
    fn new(keeper: &'a Keeper, number: u64, agent: &str) -> Self {
        let mut agents = keeper.agents();
        agents.insert(number, agent.to_owned());
        keeper.sessions.send_replace(agents.len());
        drop(agents);
        Self { keeper, number }
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        let mut agents = self.keeper.agents();
        agents.remove(&self.number);
        self.keeper.sessions.send_replace(agents.len());
    }
}
