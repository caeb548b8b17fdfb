//! Compares events with a relay (NIP-77): finds those that only one side has, without sending any.
//!
//! The library reports success even if it missed a message. A result therefore counts only once
//! the library has sent `NEG-CLOSE`, which it does only after a complete reconciliation. Never
//! fetches or publishes an event.

use std::time::Duration;

use nostr_relay_pool::relay::Error;
use nostr_sdk::{EventId, Filter, RelayMessage, SyncOptions, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::connection::{ExchangeError, RelayConnection, begins};
use super::{Relays, filter_of};
use crate::model::text::clean;

/// Time limit for the relay's first answer; most relays without NIP-77 do not answer at all.
const FIRST: Duration = Duration::from_secs(5);

/// Event ids in hex that only one side has, unordered. The relay's ids are a claim: the events
/// have not been seen or verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Ids that only the relay has.
    pub theirs: Vec<String>,
    /// Ids that only this side has.
    pub ours: Vec<String>,
}

/// Reason why there is no result. It may be text from the relay, cleaned to one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCompared {
    /// The relay does not support this reconciliation; [`Relays::all`] can read it page by page.
    Unsupported(String),
    /// The reconciliation began but did not end.
    Cut(String),
    /// The relay could not be asked.
    Unreachable(String),
}

/// Reason why one attempt failed.
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
    /// Reconciles the events that match a filter. `have` lists our matching ids with their
    /// `created_at`; invalid ids are skipped. Waits up to `wait`, including the wait for the
    /// relay's lock, and up to 5 s for the first answer.
    ///
    /// # Errors
    /// [`NotCompared`]. The call changes nothing on either side.
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
            .ok_or_else(|| NotCompared::Unreachable("the filter is invalid".to_owned()))?;
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
                    // The reason is in a message that this connection also received.
                    Ok(Err(Error::NotConnected)) => refusal(connection, deadline).await?,
                    Ok(Err(error)) => return Err(CompareStop::Unsupported(clean(&error.to_string()))),
                },
                refused = refusal(connection, deadline) => refused?,
            };
            if authenticated || !begins(&refused, "auth-required") {
                return Err(CompareStop::Unsupported(format!(
                    "the relay does not reconcile: {}",
                    clean(&refused)
                )));
            }
            authenticated = true;
            connection.authenticate(self.identity.as_ref(), (self.now)(), deadline).await?;
        }
    }
}

/// Waits for the relay's refusal before the first step, as NOTICE or CLOSED, and returns its text.
/// A late CLOSED of an earlier request is ignored.
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
