//! Finds the daemon of a folder, or starts one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep, timeout};

use super::handshake::{self, Hello, PROTOCOL, Refusal, VERSION, Want, Welcome, version_numbers};
use super::lost_reply::busy;
use super::socket::{self, SocketError};
use super::{launch, lock, lock::Lock};
use crate::api::{Code, Error};
use crate::config::{Environment, Home};

/// Time limit for a daemon's answer to the handshake.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a shim tries to connect before its client is told that there is no daemon.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(4500);
/// Time limit for a daemon that was asked to finish: its sessions' last calls, then its wallet's
/// last work.
pub(super) const HANDOVER: Duration = Duration::from_secs(60);
/// Pause between two attempts to connect.
const RETRY: Duration = Duration::from_millis(10);
/// Interval between the first two starts of a daemon; it doubles with each start.
const RESTART: Duration = Duration::from_millis(400);

/// The daemon to connect to, and the agent to connect as.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The `--home` flag.
    pub home: Option<PathBuf>,
    /// This process's environment.
    pub environment: Environment,
    /// The part of the environment that a new daemon gets.
    pub daemon_environment: Vec<(OsString, OsString)>,
    /// The agent of the session.
    pub agent: String,
}

/// A connection that the daemon has accepted.
pub(super) struct DaemonSession {
    pub(super) reader: BufReader<OwnedReadHalf>,
    pub(super) writer: OwnedWriteHalf,
    pub(super) welcome: Welcome,
}

/// Reason why there is no session.
pub(super) enum ConnectError {
    /// The folder has no daemon, its daemon is ending or was replaced, or the connection or
    /// handshake failed.
    NotRunning,
    NoAnswer,
    Refused(Refusal, Box<Welcome>),
    /// A person must repair the folder or its socket.
    Unusable(Error),
}

impl ConnectOptions {
    pub(super) fn resolve_home(&self) -> Result<Home, Error> {
        Home::resolve(self.home.as_deref(), &self.environment).map_err(|error| unusable(&error))
    }

    /// Returns the settings from the environment, as the handshake sends them. A daemon keeps those
    /// with which it was started.
    pub(super) fn settings(environment: &Environment) -> String {
        format!("keyring {}", if environment.keyring_off { "off" } else { "on" })
    }
}

/// The error for a folder that cannot be used.
pub(super) fn unusable(why: &impl std::fmt::Display) -> Error {
    Error::new(Code::SettingsInvalid, "The wallet's folder cannot be used.")
        .with("file", why.to_string())
}

/// Connects to the folder's daemon if it is running.
pub(super) async fn try_connect(
    options: &ConnectOptions,
    home: &Home,
    want: Want,
) -> Result<DaemonSession, ConnectError> {
    let stream = match socket::connect(home).await {
        Ok(stream) => stream,
        Err(SocketError::NotRunning | SocketError::Io(_)) => return Err(ConnectError::NotRunning),
        Err(error) => return Err(ConnectError::Unusable(unusable(&error))),
    };
    let note = lock::read_note(home).ok_or(ConnectError::NotRunning)?;
    let hello = Hello {
        protocol: PROTOCOL,
        version: VERSION.to_owned(),
        token: note.token,
        folder: handshake::folder_id(home),
        settings: ConnectOptions::settings(&options.environment),
        agent: options.agent.clone(),
        want,
    };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let exchange = async {
        writer.write_all(&handshake::line(&hello)?).await?;
        handshake::read::<Welcome>(&mut reader).await
    };
    let welcome = match timeout(WELCOME_TIMEOUT, exchange).await {
        Ok(Ok(welcome)) => welcome,
        Ok(Err(_)) => return Err(ConnectError::NotRunning),
        Err(_) => return Err(ConnectError::NoAnswer),
    };
    match welcome.refused {
        None => Ok(DaemonSession { reader, writer, welcome }),
        Some(Refusal::Token | Refusal::Folder | Refusal::Finishing) => {
            Err(ConnectError::NotRunning)
        }
        Some(refusal) => Err(ConnectError::Refused(refusal, Box::new(welcome))),
    }
}

/// Connects to the folder's daemon; starts one if none is running. A daemon of an older version is
/// asked once to finish, and may take as long as `handover`.
pub(super) async fn connect(
    options: &ConnectOptions,
    handover: Duration,
) -> Result<DaemonSession, Error> {
    let mut until = Instant::now() + CONNECT_TIMEOUT;
    let (mut start_at, mut pause, mut asked) = (Instant::now(), RESTART, false);
    let mut why_not = None;
    loop {
        let home = options.resolve_home()?;
        let is_older = match try_connect(options, &home, Want::Session).await {
            Ok(session)
                if asked
                    || version_numbers(VERSION) <= version_numbers(&session.welcome.version) =>
            {
                if session.welcome.settings != ConnectOptions::settings(&options.environment) {
                    tracing::warn!(
                        "the wallet's process was started with another NUTPURSE_KEYRING, which applies until it ends"
                    );
                }
                return Ok(session);
            }
            Ok(_older) => true,
            Err(ConnectError::NotRunning) => {
                why_not = None;
                if Instant::now() >= start_at {
                    start_at = Instant::now() + pause;
                    pause = pause.saturating_mul(2);
                    home.ensure().map_err(|error| unusable(&error))?;
                    launch::start(&home, &options.daemon_environment)
                        .await
                        .map_err(|error| unusable(&not_started(&error)))?;
                }
                false
            }
            Err(ConnectError::NoAnswer) => {
                why_not = Some(busy("The wallet's process does not answer."));
                false
            }
            Err(ConnectError::Refused(Refusal::Protocol, welcome))
                if welcome.protocol < PROTOCOL && !asked =>
            {
                true
            }
            Err(ConnectError::Refused(Refusal::Protocol, _)) => {
                return Err(busy("The wallet's process is another version of this program.").next(
                    "Tell the user to restart this app: it uses a different version of nutpurse than the wallet's process.",
                ));
            }
            Err(ConnectError::Refused(Refusal::Agent, _)) => {
                return Err(unusable(&"the agent's name is not valid"));
            }
            Err(ConnectError::Refused(..)) => {
                why_not = Some(busy("The wallet has reached its session limit."));
                false
            }
            Err(ConnectError::Unusable(error)) => return Err(error),
        };
        if is_older {
            asked = true;
            until = Instant::now() + handover;
            let _asked = try_connect(options, &home, Want::Finish).await;
        }
        if Instant::now() >= until {
            return Err(why_not.unwrap_or_else(|| no_daemon(&home)));
        }
        sleep(RETRY).await;
    }
}

/// Finds out from the lock why the folder has no daemon.
fn no_daemon(home: &Home) -> Error {
    match Lock::take_for_daemon(home) {
        Ok(None) => busy("Another process holds this wallet."),
        Ok(Some(_)) => {
            unusable(&format!("its process does not start; see {}", home.log().display()))
        }
        Err(error) => unusable(&error),
    }
}

fn not_started(error: &std::io::Error) -> String {
    format!("its process cannot be started ({error}); --in-process works without it")
}
