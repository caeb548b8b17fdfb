//! A Tokio runtime owned by one server of the bench, so that a test may block its own thread while
//! the mint, the proxy and the relay keep answering, and so that a server can be ended as abruptly
//! as a killed process: every task of it is dropped where it stands.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// How long an abrupt end waits for a task that is in the middle of a synchronous step.
const LAST_STEP: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Own(Option<Runtime>);

impl Own {
    pub(crate) fn new(name: &str, threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(name)
            .enable_all()
            .build()
            .context("a runtime of its own")?;
        Ok(Self(Some(runtime)))
    }

    /// Runs `work` on this runtime and waits for its answer on the caller's.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.handle()?.spawn(work).await.context("the server's task ended")?
    }

    pub(crate) fn handle(&self) -> Result<tokio::runtime::Handle> {
        let runtime = self.0.as_ref().context("the server is stopped")?;
        Ok(runtime.handle().clone())
    }

    /// Drops every task, closing their sockets, and waits until they are gone.
    pub(crate) async fn end(mut self) {
        if let Some(runtime) = self.0.take() {
            let (done, gone) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                runtime.shutdown_timeout(LAST_STEP);
                done.send(()).ok();
            });
            gone.await.ok();
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
