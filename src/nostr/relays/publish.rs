//! Publishes an event to a relay and interprets the relay's answer.
//!
//! Without an answer the event may still have been stored. An event is sent a second time only
//! after authentication, or over a new connection if the idle one was dead; storing it twice has
//! no effect.

use std::time::Duration;

use nostr_sdk::{Event, JsonUtil, RelayMessage};
use tokio::time::Instant;

use super::connection::{ExchangeError, RelayConnection, begins};
use super::{Ack, Relays};
use crate::model::text::clean;

/// Phrases, in lower case, with which relays refuse an event that is too large.
const TOO_LARGE: [&str; 9] = [
    "too large",
    "too long",
    "too big",
    "event size",
    "message size",
    "max_event_size",
    "maximum size",
    "exceeds",
    "characters should be enough",
];

impl Relays {
    /// Sends an event, given as JSON and its id, and waits up to `wait` for the answer, including
    /// the wait for the relay's lock.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the event may have arrived.
    pub async fn publish(&self, url: &str, event_json: &str, id: &str, wait: Duration) -> Ack {
        let deadline = Instant::now() + wait;
        let event = match Event::from_json(event_json) {
            Ok(event) if event.id.to_hex() == id => event,
            _ => {
                return Ack::Refused {
                    reason: "this is not an event".to_owned(),
                    lasting: true,
                    too_large: false,
                };
            }
        };
        let mut held = match self.lock(url, deadline).await {
            Ok(held) => held,
            Err(error) => return Ack::NoAnswer(error.to_string()),
        };
        loop {
            let (mut connection, kept) = match self.connection(&mut held, url, deadline).await {
                Ok(connection) => connection,
                Err(error) => return Ack::NoAnswer(error.to_string()),
            };
            match self.put(&mut connection, &event, deadline).await {
                Ok(ack) => {
                    held.keep(connection);
                    return ack;
                }
                Err(ExchangeError::Lost { .. }) if kept && !connection.has_received => {}
                Err(ExchangeError::Lost { reason, too_large: true }) => {
                    return Ack::Refused { reason, lasting: true, too_large: true };
                }
                Err(ExchangeError::AuthRequired { reason, lasting }) => {
                    return Ack::Refused { reason, lasting, too_large: false };
                }
                Err(error) => return Ack::NoAnswer(error.to_string()),
            }
        }
    }

    async fn put(
        &self,
        connection: &mut RelayConnection,
        event: &Event,
        deadline: Instant,
    ) -> Result<Ack, ExchangeError> {
        let mut authenticated = false;
        connection.put(event)?;
        loop {
            match connection.next_message(deadline).await? {
                RelayMessage::Ok { event_id, status, message } if event_id == event.id => {
                    if !status && begins(&message, "auth-required") && !authenticated {
                        authenticated = true;
                        connection
                            .authenticate(self.identity.as_ref(), (self.now)(), deadline)
                            .await?;
                        connection.put(event)?;
                        continue;
                    }
                    return Ok(if status { Ack::Stored } else { refused(&message) });
                }
                RelayMessage::Notice(words) if is_too_large(&words) => return Ok(refused(&words)),
                _ => {}
            }
        }
    }
}

fn is_too_large(words: &str) -> bool {
    let words = words.to_lowercase();
    TOO_LARGE.iter().any(|phrase| words.contains(phrase))
}

/// Interprets a relay's refusal.
fn refused(reason: &str) -> Ack {
    // The relay already has this event or a newer one that replaces it.
    if begins(reason, "duplicate") || begins(reason, "replaced") {
        return Ack::Stored;
    }
    let passing = ["rate-limited", "error"].iter().any(|prefix| begins(reason, prefix));
    let too_large = !passing && is_too_large(reason);
    let lasting = too_large
        || ["invalid", "blocked", "restricted", "pow", "auth-required", "mute", "deleted"]
            .iter()
            .any(|one| begins(reason, one));
    Ack::Refused { reason: clean(reason), lasting, too_large }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(reason: &str) -> (bool, bool) {
        match refused(reason) {
            Ack::Refused { lasting, too_large, .. } => (lasting, too_large),
            other => panic!("{reason}: {other:?}"),
        }
    }

    #[test]
    fn a_no_is_lasting_passing_or_about_size() {
        for reason in [
            "invalid: event too large: 70000",
            "max_event_size",
            "280 characters should be enough for anybody",
            "blocked: Event size",
        ] {
            assert_eq!(no(reason), (true, true), "{reason}");
        }
        for reason in [
            "invalid: bad signature",
            "blocked: kind 5",
            "restricted: members only",
            "pow: 20",
            "auth-required: again",
            "blocked",
            "deleted: user requested deletion",
        ] {
            assert_eq!(no(reason), (true, false), "{reason}");
        }
        for reason in ["", "error: disk", "rate-limited: exceeds 5 a minute", "what", "invalidated"]
        {
            assert_eq!(no(reason), (false, false), "{reason}");
        }
        assert_eq!(refused("duplicate: exists"), Ack::Stored);
        assert_eq!(refused("replaced: have newer event"), Ack::Stored);
    }
}
