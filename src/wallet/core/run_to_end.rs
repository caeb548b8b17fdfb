//! Runs operations to completion on tracked tasks.
//!
//! A cancelled, timed-out or disconnected caller ends the wait, never the operation.

use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::wallet::core::Core;

impl Core {
    /// Runs `work` on a tracked task and waits at most `wait`. `None`: it continues, or panicked.
    ///
    /// # Cancel safety
    /// Safe to drop: `work` continues.
    pub(crate) async fn run_to_end<T, F>(&self, wait: Duration, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        self.running.spawn(async move {
            let _nobody_waits = tell.send(work.await);
        });
        tokio::time::timeout(wait, told).await.ok()?.ok()
    }

    /// Runs `work` on a tracked task and waits until it ends. `None`: it panicked.
    pub(crate) async fn to_its_end<T, F>(&self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.running.spawn(work).await.ok()
    }
}
