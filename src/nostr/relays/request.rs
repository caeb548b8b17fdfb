//! One request to one relay, read until the relay reports the end.
//!
//! Verifies every event and counts it against the limits. Never requests a second page.

use std::collections::HashSet;

use nostr_sdk::{Event as Shared, Filter, JsonUtil, RelayMessage};
use tokio::time::Instant;

use super::super::event::Event;
use super::connection::{ExchangeError, RelayConnection, auth_rejected, begins};
use super::frame::Hint;
use super::{End, Listing, Relays, asks_for};
use crate::model::text::clean;

/// Maximum number of bytes kept, and of bytes received, in one read.
const MAX_KEPT: usize = 64 * 1024 * 1024;
const MAX_HEARD: usize = 256 * 1024 * 1024;

/// Maximum number of events skipped in one read because they are invalid or were not requested.
const MAX_SKIPPED: usize = 1_000;

/// The estimated memory for one id, in bytes.
const ID_COST: usize = 256;

/// The events read so far, and the usage of the limits.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) events: Vec<Event>,
    pub(super) ids: Vec<String>,
    pub(super) seen: HashSet<String>,
    pub(super) skipped: usize,
    kept: usize,
    heard: usize,
}

/// Summary of one page.
#[derive(Default)]
pub(super) struct PageSummary {
    /// Number of distinct events, including known ones.
    pub(super) count: usize,
    /// Number of events that no earlier page contained.
    pub(super) new: usize,
    /// The oldest `created_at`, in Unix seconds.
    pub(super) oldest: Option<u64>,
    /// Some events are newer than the filter's `until`.
    pub(super) too_new: bool,
    /// The relay's hint at the end.
    pub(super) hint: Option<Hint>,
}

pub(super) type IsKnown<'a> = &'a mut (dyn FnMut(&str) -> bool + Send);

impl Relays {
    /// Sends one request over the idle connection, or over a new one if that is dead.
    pub(super) async fn one(
        &self,
        url: &str,
        filter: &Filter,
        deadline: Instant,
        gathered: &mut Gathered,
        known: IsKnown<'_>,
    ) -> Result<PageSummary, End> {
        let mut held =
            self.lock(url, deadline).await.map_err(|error| End::Unreachable(error.to_string()))?;
        loop {
            let (mut connection, kept) = self
                .connection(&mut held, url, deadline)
                .await
                .map_err(|error| End::Unreachable(error.to_string()))?;
            match self.ask(&mut connection, filter, deadline, gathered, known).await {
                Ok(shown) => {
                    held.keep(connection);
                    return Ok(shown);
                }
                Err(RequestStop::Failed(ExchangeError::Lost { .. }))
                    if kept && !connection.has_received => {}
                Err(RequestStop::Failed(error)) => return Err(End::Cut(error.to_string())),
                Err(RequestStop::Closed(reason)) => {
                    held.keep(connection);
                    return Err(End::Cut(reason));
                }
                Err(RequestStop::TooMuch(reason)) => return Err(End::Cut(reason.to_owned())),
            }
        }
    }

    async fn ask(
        &self,
        connection: &mut RelayConnection,
        filter: &Filter,
        deadline: Instant,
        gathered: &mut Gathered,
        known: IsKnown<'_>,
    ) -> Result<PageSummary, RequestStop> {
        let mut authenticated = false;
        let mut subscription = connection.request(filter)?;
        let mut shown = PageSummary::default();
        let (mut here, mut taken) = (HashSet::new(), 0_usize);
        loop {
            match connection.next_message(deadline).await? {
                RelayMessage::Event { subscription_id, event }
                    if *subscription_id == subscription =>
                {
                    taken = taken.saturating_add(
                        gathered.take(&event, filter, &mut shown, &mut here, known),
                    );
                }
                RelayMessage::EndOfStoredEvents(of) if *of == subscription => {
                    // An owner's relay may hide events from unknown clients without requiring
                    // authentication, so authenticate and ask again.
                    if !authenticated
                        && let Some(identity) = self.auth_on_request(&connection.url)
                        && let Some(challenge) = connection.take_challenge()
                    {
                        (authenticated, taken) = (true, 0);
                        gathered.heard =
                            gathered.heard.saturating_add(connection.gate.bytes_received());
                        connection.send_auth(identity, challenge, (self.now)())?;
                        subscription = connection.request(filter)?;
                        continue;
                    }
                    let noted = connection.gate.noted();
                    for event in
                        noted.aside.iter().filter_map(|event| Shared::from_json(event).ok())
                    {
                        taken = taken.saturating_add(
                            gathered.take(&event, filter, &mut shown, &mut here, known),
                        );
                    }
                    gathered.heard =
                        gathered.heard.saturating_add(connection.gate.bytes_received());
                    gathered.skipped =
                        gathered.skipped.saturating_add(noted.events.saturating_sub(taken));
                    shown.hint = noted.hint;
                    connection.close(subscription);
                    gathered.check()?;
                    return Ok(shown);
                }
                RelayMessage::Closed { subscription_id, message }
                    if *subscription_id == subscription =>
                {
                    if authenticated || !begins(&message, "auth-required") {
                        return Err(RequestStop::Closed(format!(
                            "the relay ended the request: {}",
                            clean(&message)
                        )));
                    }
                    authenticated = true;
                    connection.authenticate(self.identity.as_ref(), (self.now)(), deadline).await?;
                    subscription = connection.request(filter)?;
                }
                // No other message is under way that a relay could answer with a failed OK.
                RelayMessage::Ok { status: false, message, .. } if authenticated => {
                    return Err(auth_rejected(&message).into());
                }
                _ => {}
            }
            gathered.check()?;
        }
    }
}

/// Reason why a request did not complete.
enum RequestStop {
    Failed(ExchangeError),
    Closed(String),
    TooMuch(&'static str),
}

impl From<ExchangeError> for RequestStop {
    fn from(error: ExchangeError) -> Self {
        Self::Failed(error)
    }
}

impl Gathered {
    /// Converts the events and ids read so far into a listing.
    pub(super) fn listing(self, end: End) -> Listing {
        Listing { events: self.events, ids: self.ids, skipped: self.skipped, end }
    }

    fn check(&self) -> Result<(), RequestStop> {
        if self.kept > MAX_KEPT || self.heard > MAX_HEARD {
            return Err(RequestStop::TooMuch("the relay sends too much"));
        }
        if self.skipped > MAX_SKIPPED {
            return Err(RequestStop::TooMuch("the relay sends too many unrequested events"));
        }
        Ok(())
    }

    /// Verifies one event and returns 1 if it was requested, else 0. Does not rely on the library's
    /// signature check, which skips the signature if it has already seen the id.
    fn take(
        &mut self,
        sent: &Shared,
        filter: &Filter,
        shown: &mut PageSummary,
        here: &mut HashSet<String>,
        known: IsKnown<'_>,
    ) -> usize {
        let (id, created_at) = (sent.id.to_hex(), sent.created_at.as_secs());
        let is_new = !self.seen.contains(&id);
        if is_new && !known(&id) {
            match Event::read(&sent.as_json()) {
                Ok(event) if asks_for(filter, sent) => {
                    self.kept = self.kept.saturating_add(event.weight());
                    self.events.push(event);
                }
                _ => return 0,
            }
        }
        let until = filter.until.map(|until| until.as_secs());
        // An event after the page's end, already shown or known: the relay ignores `until`.
        shown.too_new = shown.too_new || until.is_some_and(|until| created_at > until);
        if is_new {
            self.kept = self.kept.saturating_add(ID_COST);
            self.ids.push(id.clone());
            self.seen.insert(id.clone());
            shown.new = shown.new.saturating_add(1);
        }
        if here.insert(id) {
            shown.count = shown.count.saturating_add(1);
            let created_at = until.map_or(created_at, |until| until.min(created_at));
            shown.oldest = Some(shown.oldest.map_or(created_at, |oldest| oldest.min(created_at)));
        }
        1
    }
}
