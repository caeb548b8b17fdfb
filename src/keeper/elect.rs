//! Finding the keeper of a folder, or starting one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep, timeout};

use super::hello::{self, Hello, PROTOCOL, Refusal, VERSION, Want, Welcome, newness};
use super::lost::busy;
use super::socket::{self, SocketError};
use super::{launch, lock, lock::Lock};
use crate::config::{Environment, Home};
use crate::wallet::{Code, Error};

/// How long a keeper may take to say its first line.
const FIRST_LINE: Duration = Duration::from_secs(3);
/// How long is looked for one before its client is told that there is none.
pub(super) const LOOKING: Duration = Duration::from_millis(4500);
/// How long an older keeper that was asked to make way may take: its sessions' last calls, and its
/// wallet's.
pub(super) const MAKING_WAY: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Between the first two starts; twice as long between the next.
const START: Duration = Duration::from_millis(400);

/// Which folder is meant, and as whom.
#[derive(Clone, Debug)]
pub struct Way {
    /// The `--home` flag.
    pub given: Option<PathBuf>,
    /// This process's environment.
    pub environment: Environment,
    /// What of it a keeper gets.
    pub passed_on: Vec<(OsString, OsString)>,
    /// The agent of the session.
    pub agent: String,
}

/// A keeper that said yes.
pub(super) struct Link {
    pub(super) reader: BufReader<OwnedReadHalf>,
    pub(super) writer: OwnedWriteHalf,
    pub(super) welcome: Welcome,
}

/// Why there is no link.
pub(super) enum Why {
    /// Nobody keeps this folder, or somebody else from one moment to the next.
    Nobody,
    /// It does not answer.
    Silent,
    /// It does not want to.
    Refused(Refusal, Box<Welcome>),
    /// A person must mend it.
    Fault(Error),
}

impl Way {
    pub(super) fn home(&self) -> Result<Home, Error> {
        Home::resolve(self.given.as_deref(), &self.environment).map_err(|error| fault(&error))
    }

    /// The settings that come from the environment: those that the keeper was started with hold.
    pub(super) fn settings(environment: &Environment) -> String {
        format!("keyring {}", if environment.keyring_off { "off" } else { "on" })
    }
}

/// The folder cannot be used as it is.
pub(super) fn fault(why: &impl std::fmt::Display) -> Error {
    Error::new(Code::SettingsInvalid, "The wallet's folder cannot be used.")
        .with("file", why.to_string())
}

/// Says hello to the keeper of this folder.
pub(super) async fn greet(way: &Way, home: &Home, want: Want) -> Result<Link, Why> {
    let stream = match socket::connect(home).await {
        Ok(stream) => stream,
        Err(SocketError::Nobody | SocketError::Io(_)) => return Err(Why::Nobody),
        Err(error) => return Err(Why::Fault(fault(&error))),
    };
    let note = lock::read_note(home).ok_or(Why::Nobody)?;
    let hello = Hello {
        protocol: PROTOCOL,
        version: VERSION.to_owned(),
        token: note.token,
        folder: hello::folder(home),
        settings: Way::settings(&way.environment),
        agent: way.agent.clone(),
        want,
    };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let exchange = async {
        writer.write_all(&hello::line(&hello)?).await?;
        hello::read::<Welcome>(&mut reader).await
    };
    let welcome = match timeout(FIRST_LINE, exchange).await {
        Ok(Ok(welcome)) => welcome,
        Ok(Err(_)) => return Err(Why::Nobody),
        Err(_) => return Err(Why::Silent),
    };
    match welcome.refused {
        None => Ok(Link { reader, writer, welcome }),
        Some(Refusal::Token | Refusal::Folder | Refusal::Finishing) => Err(Why::Nobody),
        Some(refusal) => Err(Why::Refused(refusal, Box::new(welcome))),
    }
}

/// A session with the keeper of the folder; starts one where there is none. An older keeper is
/// asked to make way, once, and may take as long as `making_way`.
pub(super) async fn elect(way: &Way, making_way: Duration) -> Result<Link, Error> {
    let mut until = Instant::now() + LOOKING;
    let (mut start_at, mut pause, mut asked) = (Instant::now(), START, false);
    let mut why_not = None;
    loop {
        let home = way.home()?;
        let is_older = match greet(way, &home, Want::Session).await {
            Ok(link) if asked || newness(VERSION) <= newness(&link.welcome.version) => {
                if link.welcome.settings != Way::settings(&way.environment) {
                    tracing::warn!(
                        "the wallet's process was started with another NUTPURSE_KEYRING, which holds until it ends"
                    );
                }
                return Ok(link);
            }
            Ok(_older) => true,
            Err(Why::Nobody) => {
                why_not = None;
                if Instant::now() >= start_at {
                    start_at = Instant::now() + pause;
                    pause = pause.saturating_mul(2);
                    home.ensure().map_err(|error| fault(&error))?;
                    launch::start(&home, &way.passed_on)
                        .await
                        .map_err(|error| fault(&not_started(&error)))?;
                }
                false
            }
            Err(Why::Silent) => {
                why_not = Some(busy("The process that keeps this wallet does not answer."));
                false
            }
            Err(Why::Refused(Refusal::Protocol, welcome))
                if welcome.protocol < PROTOCOL && !asked =>
            {
                true
            }
            Err(Why::Refused(Refusal::Protocol, _)) => {
                return Err(busy("Another version of this program keeps the wallet.").next(
                    "Tell the user to restart this app: it runs another version of the wallet's program than the one that keeps it.",
                ));
            }
            Err(Why::Refused(Refusal::Agent, _)) => {
                return Err(fault(&"the agent's name cannot be used"));
            }
            Err(Why::Refused(..)) => {
                why_not = Some(busy("The wallet has as many sessions as it can serve."));
                false
            }
            Err(Why::Fault(error)) => return Err(error),
        };
        if is_older {
            asked = true;
            until = Instant::now() + making_way;
            let _asked = greet(way, &home, Want::Finish).await;
        }
        if Instant::now() >= until {
            return Err(why_not.unwrap_or_else(|| nobody(&home)));
        }
        sleep(LOOK).await;
    }
}

/// Why nobody keeps the folder: the lock tells.
fn nobody(home: &Home) -> Error {
    match Lock::take_to_keep(home) {
        Ok(None) => busy("Another process holds this wallet."),
        Ok(Some(_)) => {
            fault(&format!("its process does not start; {} may say why", home.log().display()))
        }
        Err(error) => fault(&error),
    }
}

fn not_started(error: &std::io::Error) -> String {
    format!("its process cannot be started ({error}); --in-process does without")
}
