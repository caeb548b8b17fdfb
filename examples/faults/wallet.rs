//! A wallet of a scene: its folder, disk and clock over all of its runs, and the current run.

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

/// Seconds by which the clock of a restarted wallet is later, so that what waits for a minute runs.
const LATER: i64 = 61;

/// A wallet, running or not.
#[derive(Debug)]
pub(crate) struct Wallet {
    pub(crate) home: Home,
    /// The shim that is its disk and its wall clock.
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

    /// Returns the current session; starts one where there is none.
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

    /// Starts one more process on the same folder, for this agent.
    pub(crate) async fn another(&self, agent: &str) -> Outcome<Session> {
        self.start(self.command(agent)).await
    }

    /// Starts one more process with this command.
    pub(crate) async fn start(&self, command: Command) -> Outcome<Session> {
        Session::start(command, self.log()?, &self.run.watch).await
    }

    /// The binary on this folder, with nothing of the caller's environment. It holds the wallet
    /// itself, because the shim's disk and clock do not reach a daemon.
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

    /// Sets the Nostr key that it imports at its first start.
    pub(crate) fn take_over(&self, key: &str) {
        self.nostr.set(key.to_owned()).ok();
    }

    /// Closes it. From its next run on each of its processes is a shim in front of a daemon, until
    /// [`Self::restart`].
    pub(crate) async fn share(&self) -> Outcome {
        self.close().await?;
        self.is_shared.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// The file with the standard error of all its runs.
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

    /// A function that kills the current run, for a rule's `then`.
    pub(crate) async fn killer(&self) -> Outcome<impl Fn() + Send + Sync + use<> + 'static> {
        Ok(self.session().await?.killer())
    }

    /// A function that kills the run that is current when it is called, even one that is just
    /// starting, for a rule's `then`.
    pub(crate) fn reaper(&self) -> impl Fn() + Send + Sync + use<> + 'static {
        let process = Arc::clone(&self.process);
        move || {
            if let Some(process) = Pid::from_raw(process.load(Ordering::SeqCst)) {
                kill_process(process, Signal::KILL).ok();
            }
        }
    }

    /// Kills the current run, if there is one.
    pub(crate) async fn kill(&self) -> Outcome {
        match self.session.lock().await.take() {
            Some(session) => session.kill().await,
            None => Ok(()),
        }
    }

    /// Ends the current run by closing its input.
    pub(crate) async fn close(&self) -> Outcome {
        if let Some(session) = self.session.lock().await.take() {
            session.close().await?;
        }
        Ok(())
    }

    /// Stops the process with a signal, as on a laptop that sleeps, or continues it.
    pub(crate) async fn freeze(&self, is_frozen: bool) -> Outcome {
        self.session().await?.signal(if is_frozen { Signal::STOP } else { Signal::CONT })
    }

    /// Kills it, calms its disk, and starts it a minute later by its clock.
    pub(crate) async fn restart(&self) -> Outcome {
        self.restart_after(LATER).await
    }

    /// Kills it, calms its disk, and starts it so many seconds later by its clock.
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

    /// Returns whether the current run is alive.
    pub(crate) async fn is_alive(&self) -> Outcome<bool> {
        match self.session.lock().await.as_ref() {
            Some(session) => Ok(session.is_alive().await),
            None => Ok(false),
        }
    }

    /// Advances its wall clock.
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
