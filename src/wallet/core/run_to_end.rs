//! Runs an operation to its end, whether or not its caller waits.
//!
//! A cancel, a timeout or a closed pipe ends the waiting, never the operation.

use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::wallet::core::Core;

impl Core {
    /// Runs `work` on a tracked task and waits for it, at most `wait`. `None`: it goes on without
    /// us.
    ///
    /// # Cancel safety
    /// Safe to drop: the work goes on.
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

    /// Runs `work` on a tracked task and waits for its end. `None`: it panicked.
    pub(crate) async fn to_its_end<T, F>(&self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.running.spawn(work).await.ok()
    }
}
