//! Progress notes with fixed texts, so that a client does not give up during a call.

use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};

/// Interval between two notes.
const EVERY: Duration = Duration::from_secs(7);

/// How long a finished call waits for a note being sent: none may follow the answer.
const LAST: Duration = Duration::from_millis(500);

/// A receiver of progress notes.
pub trait Progress: Send + Sync {
    /// Sends one note. `step` starts at 1 and grows.
    fn note(&self, step: u32, text: &'static str) -> BoxFuture<'_, ()>;
}

/// A receiver that ignores every note.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn note(&self, _step: u32, _text: &'static str) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Waits for `work`. Unless it is done at once, sends a note now and then every few seconds.
pub(super) async fn while_running<T>(progress: &dyn Progress, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Poll::Ready(done) = futures::poll!(&mut work) {
        return done;
    }
    let mut step = 1;
    let mut text = "Working on it";
    loop {
        match select(work, progress.note(step, text)).await {
            Either::Left((done, note)) => {
                let _ = tokio::time::timeout(LAST, note).await;
                return done;
            }
            Either::Right(((), rest)) => work = rest,
        }
        match select(work, std::pin::pin!(tokio::time::sleep(EVERY))).await {
            Either::Left((done, _)) => return done,
            Either::Right(((), rest)) => work = rest,
        }
        step = step.saturating_add(1);
        text = "Still waiting for the answer";
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<u32>>);

    impl Progress for Heard {
        fn note(&self, step: u32, _text: &'static str) -> BoxFuture<'_, ()> {
            if let Ok(mut heard) = self.0.lock() {
                heard.push(step);
            }
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn signs_grow_and_end_with_the_work() {
        let heard = Heard::default();
        let work = tokio::time::sleep(Duration::from_secs(20));
        while_running(&heard, work).await;
        assert_eq!(heard.0.lock().map(|h| h.clone()).ok(), Some(vec![1, 2, 3]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_at_once_says_nothing() {
        let heard = Heard::default();
        assert_eq!(while_running(&heard, std::future::ready(5)).await, 5);
        assert_eq!(heard.0.lock().map(|h| h.len()).ok(), Some(0));
    }
}
