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
use super::{launch, lock};
use crate::config::{Environment, Home};
use crate::wallet::{Code, Error};

/// How long a keeper may take to say its first line.
const FIRST_LINE: Duration = Duration::from_secs(3);
/// How long is looked for one before its client is told that there is none.
const LOOKING: Duration = Duration::from_millis(4500);
/// How long an older keeper that was asked to make way may take.
const MAKING_WAY: Duration = Duration::from_secs(45);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Between two starts.
const START: Duration = Duration::from_secs(1);

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
    Error::new(Code::SettingsInvalid, "The wallet's folder cannot be used.").with("file", why.to_string())
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
        Some(Refusal::Token | Refusal::Folder) => Err(Why::Nobody),
        Some(refusal) => Err(Why::Refused(refusal, Box::new(welcome))),
    }
}

/// A session with the keeper of the folder; starts one where there is none. An older keeper is asked to make way, once.
pub(super) async fn elect(way: &Way) -> Result<Link, Error> {
    let mut until = Instant::now() + LOOKING;
    let (mut started, mut asked) = (None::<Instant>, false);
    let mut why_not = busy("Another process holds this wallet.");
    loop {
        let home = way.home()?;
        match greet(way, &home, Want::Session).await {
            Ok(link) if asked || newness(VERSION) <= newness(&link.welcome.version) => {
                if link.welcome.settings != Way::settings(&way.environment) {
                    tracing::warn!(
                        "the wallet's running process was started with other settings (NUTPURSE_KEYRING); they hold until it ends"
                    );
                }
                return Ok(link);
            }
            Ok(_older) => {
                asked = true;
                until = Instant::now() + MAKING_WAY;
                let _asked = greet(way, &home, Want::Finish).await;
            }
            Err(Why::Nobody) => {
                if started.is_none_or(|started| started.elapsed() >= START) {
                    started = Some(Instant::now());
                    home.ensure().map_err(|error| fault(&error))?;
                    launch::start(&home, &way.passed_on)
                        .await
                        .map_err(|error| fault(&format!("its process cannot be started: {error}")))?;
                }
            }
            Err(Why::Silent) => why_not = busy("The process that keeps this wallet does not answer."),
            Err(Why::Refused(Refusal::Protocol, welcome)) if welcome.protocol < PROTOCOL && !asked => {
                asked = true;
                until = Instant::now() + MAKING_WAY;
                let _asked = greet(way, &home, Want::Finish).await;
            }
            Err(Why::Refused(Refusal::Protocol, _)) => {
                return Err(busy("Another version of this program keeps the wallet.")
                    .next("Tell the user to restart this app: it runs an older version of the wallet's program than another one does."));
            }
            Err(Why::Refused(Refusal::Agent, _)) => return Err(fault(&"the agent's name cannot be used")),
            Err(Why::Refused(..)) => why_not = busy("The wallet has as many sessions as it can serve."),
            Err(Why::Fault(error)) => return Err(error),
        }
        if Instant::now() >= until {
            return Err(why_not);
        }
        sleep(LOOK).await;
    }
}
