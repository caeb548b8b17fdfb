//! A wallet in a process of its own, with a client.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value;
use testbed::harness::{Answer, Client, Home, Outcome, Session, program};
use tokio::process::Command;

/// A running wallet.
#[derive(Debug)]
pub(crate) struct Wallet {
    pub(crate) name: &'static str,
    binary: PathBuf,
    home: Home,
    session: Session,
}

impl Wallet {
    /// Starts the wallet of this folder as a client does.
    pub(crate) async fn start(name: &'static str, binary: &Path, home: Home) -> Outcome<Self> {
        let mut command = program(binary, home.path());
        command.args(["--agent", name]);
        let session = Session::start(command, Stdio::inherit(), &Arc::default()).await?;
        Ok(Self { name, binary: binary.to_path_buf(), home, session })
    }

    /// Gives the wallet a command of its owner, from another process that has no terminal. Returns
    /// whether it was done.
    pub(crate) async fn owner(&self, verb: &str) -> Outcome<(bool, Duration)> {
        let since = Instant::now();
        let mut command = Command::from(program(&self.binary, self.home.path()));
        let done = command.args(["--agent", "owner", verb]).stdin(Stdio::null()).output().await?;
        Ok((done.status.success(), since.elapsed()))
    }

    /// Closes the wallet's input, upon which it ends.
    pub(crate) async fn end(self) -> Outcome {
        self.session.close().await.map(drop)
    }
}

#[async_trait]
impl Client for Wallet {
    async fn call(&self, tool: &str, arguments: Value) -> Outcome<Option<Answer>> {
        self.session.call(tool, arguments).await
    }
}
