//! A wallet of a scene: its folder, disk and clock over all of its runs, and the run at hand.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testbed::Shim;
use testbed::harness::{Answer, Client, Home, Outcome, Session, fail, program};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::trial::Run;

/// How much later a wallet is started again, in seconds: what waits for its time may go on then.
const LATER: i64 = 61;

/// A wallet, running or not.
#[derive(Debug)]
pub(crate) struct Wallet {
    pub(crate) home: Home,
    /// Its disk and its wall clock.
    pub(crate) shim: Shim,
    pub(crate) run: Run,
    log: PathBuf,
    session: Mutex<Option<Arc<Session>>>,
    process: Arc<AtomicI32>,
    is_shared: AtomicBool,
    /// The Nostr key that it is given, instead of one made of its words.
    nostr: OnceLock<String>,
}

impl Drop for Wallet {
    fn drop(&mut self) {
        if self.is_shared.load(Ordering::SeqCst) {
            self.session.get_mut().take();
            self.leave();
        }
    }
}

impl Wallet {
    pub(crate) fn new(run: &Run, home: Home, log: PathBuf) -> Outcome<Self> {
        let shim = Shim::new(&run.shim, home.path())?;
        Ok(Self {
            home,
            shim,
            run: run.clone(),
            log,
            session: Mutex::new(None),
            process: Arc::default(),
            is_shared: AtomicBool::new(false),
            nostr: OnceLock::new(),
        })
    }

    /// The session at hand; starts one where none is.
    pub(crate) async fn session(&self) -> Outcome<Arc<Session>> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref() {
            return Ok(Arc::clone(session));
        }
        let command = self.command("tester");
        let started = Arc::new(Session::spawn(command, self.log()?, &self.run.watch)?);
        self.process.store(started.process().as_raw_nonzero().get(), Ordering::SeqCst);
        // It is the run at hand even if it dies while shaking hands.
        *session = Some(Arc::clone(&started));
        started.shake_hands().await?;
        Ok(started)
    }

    /// One more process on the same folder, for this agent.
    pub(crate) async fn another(&self, agent: &str) -> Outcome<Session> {
        self.start(self.command(agent)).await
    }

    /// One more process, by a command of its own.
    pub(crate) async fn start(&self, command: Command) -> Outcome<Session> {
        Session::start(command, self.log()?, &self.run.watch).await
    }

    /// The binary on this folder, with nothing of our own environment. It holds the wallet alone,
    /// on its disk and by its clock: to a process that keeps it for others neither reaches.
    pub(crate) fn command(&self, agent: &str) -> Command {
        let mut command = program(&self.run.binary, self.home.path());
        if !self.is_shared.load(Ordering::SeqCst) {
            command.arg("--in-process");
        }
        command.env("NUTPURSE_AGENT", agent).env("NUTPURSE_LOG", "trace");
        command.envs(self.shim.environment());
        command.envs(self.nostr.get().map(|key| ("NUTPURSE_NSEC", key)));
        command.into()
    }

    /// It takes this Nostr key over at its first start.
    pub(crate) fn take_over(&self, key: &str) {
        self.nostr.set(key.to_owned()).ok();
    }

    /// From its next run on each of its processes carries lines to the one that keeps the wallet,
    /// as a client starts it. A restart ends that.
    pub(crate) async fn share(&self) -> Outcome {
        self.close().await?;
        self.is_shared.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// What all its runs wrote to standard error.
    pub(crate) fn log_path(&self) -> &PathBuf {
        &self.log
    }

    fn log(&self) -> Outcome<File> {
        Ok(OpenOptions::new().create(true).append(true).open(&self.log)?)
    }

    /// Starts several deposits of so many sats at once and waits for them. A new process for each
    /// ten, because the wallet limits its rate at a mint.
    pub(crate) async fn fund_often(&self, tens: usize, sats: u64) -> Outcome {
        for _ in 0..tens {
            join_all((0..10).map(|_| self.fund(sats)))
                .await
                .into_iter()
                .collect::<Outcome<()>>()?;
            self.close().await?;
        }
        Ok(())
    }

    /// A function that kills the run at hand, for a rule's `then`.
    pub(crate) async fn killer(&self) -> Outcome<impl Fn() + Send + Sync + use<> + 'static> {
        Ok(self.session().await?.killer())
    }

    /// What kills whatever run is at hand then, were it just starting: for a rule's `then`.
    pub(crate) fn reaper(&self) -> impl Fn() + Send + Sync + use<> + 'static {
        let process = Arc::clone(&self.process);
        move || {
            if let Some(process) = Pid::from_raw(process.load(Ordering::SeqCst)) {
                kill_process(process, Signal::KILL).ok();
            }
        }
    }

    /// Kills the run at hand, or sees that it is gone.
    pub(crate) async fn kill(&self) -> Outcome {
        match self.session.lock().await.take() {
            Some(session) => session.kill().await,
            None => Ok(()),
        }
    }

    /// Ends the run at hand by closing its input.
    pub(crate) async fn close(&self) -> Outcome {
        if let Some(session) = self.session.lock().await.take() {
            session.close().await?;
        }
        Ok(())
    }

    /// Stops it where it stands (as a laptop that sleeps), or lets it go on.
    pub(crate) async fn freeze(&self, is_frozen: bool) -> Outcome {
        self.session().await?.signal(if is_frozen { Signal::STOP } else { Signal::CONT })
    }

    /// Kills it, calms its disk, and starts it a minute later by its clock.
    pub(crate) async fn restart(&self) -> Outcome {
        self.restart_after(LATER).await
    }

    /// The same so many seconds later.
    pub(crate) async fn restart_after(&self, seconds: i64) -> Outcome {
        self.kill().await?;
        if self.is_shared.load(Ordering::SeqCst) {
            self.stop().await?;
            self.is_shared.store(false, Ordering::SeqCst);
        }
        self.shim.calm()?;
        self.pass(seconds)?;
        self.session().await?;
        Ok(())
    }

    /// Whether the run at hand is there.
    pub(crate) async fn is_alive(&self) -> Outcome<bool> {
        match self.session.lock().await.as_ref() {
            Some(session) => Ok(session.is_alive().await),
            None => Ok(false),
        }
    }

    /// Lets time pass on its wall clock.
    pub(crate) fn pass(&self, seconds: i64) -> Outcome {
        Ok(self.shim.set_clock(self.shim.clock()? + seconds)?)
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().rev().take(3).collect::<Vec<_>>().join(" / ")
    }
}

#[async_trait]
impl Client for Wallet {
    async fn call(&self, tool: &str, arguments: Value) -> Outcome<Option<Answer>> {
        self.session().await?.call(tool, arguments).await
    }

    async fn told(&self, tool: &str, arguments: Value) -> Outcome<Answer> {
        match self.call(tool, arguments).await? {
            Some(answer) => Ok(answer),
            None => fail(format!("the wallet ended during {tool}: {}", self.last_words())),
        }
    }
}
