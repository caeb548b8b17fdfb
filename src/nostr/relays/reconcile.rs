//! Comparing with a relay (NIP-77): which events it has and we lack, and the other way round,
//! without sending either.
//!
//! The library's own end is not believed: when it misses a message it says that it is done. A
//! comparison counts once the library has told the relay that it is over, which it does at its true
//! end alone. Never fetches an event, never sends one.

use std::time::Duration;

use nostr_relay_pool::relay::Error;
use nostr_sdk::{EventId, Filter, RelayMessage, SyncOptions, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::connection::{ExchangeError, RelayConnection, begins};
use super::{Relays, filter_of};
use crate::model::text::clean;

/// How long a relay has for its first answer: most of those that do not know how to compare say
/// nothing.
const FIRST: Duration = Duration::from_secs(5);

/// What one side has and the other has not, as ids in hex, in no order. What the relay says it has
/// is its word: nobody has seen it yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The relay has it and we do not.
    pub theirs: Vec<String>,
    /// We have it and the relay does not.
    pub ours: Vec<String>,
}

/// Why nothing is known. The words of a reason may be the relay's, as one clean line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCompared {
    /// The relay does not compare, or not this: [`Relays::all`] asks it page by page.
    Unsupported(String),
    /// It began and came to no end.
    Cut(String),
    /// Nothing could be asked.
    Unreachable(String),
}

/// Why a comparison has no result.
enum CompareStop {
    Failed(ExchangeError),
    Unsupported(String),
}

impl From<ExchangeError> for CompareStop {
    fn from(error: ExchangeError) -> Self {
        Self::Failed(error)
    }
}

impl Relays {
    /// Compares the events that a filter matches: `have` are the ids of ours that it matches, each
    /// with its `created_at`; what is no id is passed over. Waits so long at most, the lock of the
    /// relay included, and 5 s at most for a relay that does not know how to compare.
    ///
    /// # Errors
    /// [`NotCompared`]. Nothing is known then, and nothing has changed.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn reconcile(
        &self,
        url: &str,
        filter: &Value,
        have: Vec<(String, u64)>,
        wait: Duration,
    ) -> Result<Difference, NotCompared> {
        let deadline = Instant::now() + wait;
        let unreachable = |error: ExchangeError| NotCompared::Unreachable(error.to_string());
        let filter = filter_of(filter)
            .ok_or_else(|| NotCompared::Unreachable("this is no filter".to_owned()))?;
        let have: Vec<_> = have
            .into_iter()
            .filter_map(|(id, at)| Some((EventId::from_hex(&id).ok()?, Timestamp::from_secs(at))))
            .collect();
        let mut held = self.lock(url, deadline).await.map_err(unreachable)?;
        loop {
            let (mut connection, kept) =
                self.connection(&mut held, url, deadline).await.map_err(unreachable)?;
            match self.compare(&mut connection, &filter, &have, deadline).await {
                Ok(difference) => {
                    held.keep(connection);
                    return Ok(difference);
                }
                Err(CompareStop::Failed(ExchangeError::Lost { .. }))
                    if kept && !connection.has_received => {}
                Err(CompareStop::Failed(error)) if connection.gate.has_stepped() => {
                    return Err(NotCompared::Cut(error.to_string()));
                }
                Err(CompareStop::Failed(error)) => {
                    return Err(NotCompared::Unsupported(error.to_string()));
                }
                Err(CompareStop::Unsupported(reason)) => {
                    return Err(NotCompared::Unsupported(reason));
                }
            }
        }
    }

    async fn compare(
        &self,
        connection: &mut RelayConnection,
        filter: &Filter,
        have: &[(EventId, Timestamp)],
        deadline: Instant,
    ) -> Result<Difference, CompareStop> {
        let mut authenticated = false;
        loop {
            connection.gate.expect_comparison();
            let left = deadline.saturating_duration_since(Instant::now());
            let options = SyncOptions::new().initial_timeout(left.min(FIRST)).dry_run();
            let relay = connection.relay.clone();
            let refused = tokio::select! {
                biased;
                done = timeout_at(deadline, relay.sync_with_items(filter.clone(), have.to_vec(), &options)) => match done {
                    Ok(Ok(found)) => {
                        timeout_at(deadline, connection.gate.compared.notified()).await.map_err(|_| ExchangeError::Timeout)?;
                        let hex = |ids: std::collections::HashSet<EventId>| ids.into_iter().map(|id| id.to_hex()).collect();
                        return Ok(Difference { theirs: hex(found.remote), ours: hex(found.local) });
                    }
                    Ok(Err(Error::RelayMessage(words))) => words,
                    Ok(Err(Error::Timeout)) | Err(_) => return Err(ExchangeError::Timeout.into()),
                    // It says why in a message that was heard here.
                    Ok(Err(Error::NotConnected)) => refusal(connection, deadline).await?,
                    Ok(Err(error)) => return Err(CompareStop::Unsupported(clean(&error.to_string()))),
                },
                refused = refusal(connection, deadline) => refused?,
            };
            if authenticated || !begins(&refused, "auth-required") {
                return Err(CompareStop::Unsupported(format!(
                    "the relay does not compare: {}",
                    clean(&refused)
                )));
            }
            authenticated = true;
            connection.authenticate(self.identity.as_ref(), (self.now)(), deadline).await?;
        }
    }
}

/// Returns with the words of a relay that says no before it has begun, in whichever way it says so.
/// The end of an earlier request may still come.
async fn refusal(
    connection: &mut RelayConnection,
    deadline: Instant,
) -> Result<String, ExchangeError> {
    loop {
        match connection.next_message(deadline).await? {
            RelayMessage::Notice(words) if !connection.gate.has_stepped() => {
                return Ok(words.into_owned());
            }
            RelayMessage::Closed { subscription_id, message }
                if connection.gate.is_comparison(subscription_id.as_str())
                    && !connection.gate.has_stepped() =>
            {
                return Ok(message.into_owned());
            }
            _ => {}
        }
    }
}
