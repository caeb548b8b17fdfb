//! Reading a relay: one request until it says that this is all, or page after page until nothing new comes.
//!
//! Whole means that the relay said so. Relays give the newest first and no more than they like, so the pages go back in time, each
//! beginning in the second in which the one before it ended.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::event::{Event, MAX_EVENT};
use super::super::parts::is_hex_64;
use super::filter::matches;
use super::frame::Frame;
use super::line::{Broken, Line, begins};
use super::{End, Held, Listing, Page, Relays};
use crate::model::text::clean;

/// How many events a page asks for.
const PAGE: usize = 500;

/// The most pages.
const MAX_PAGES: usize = 200;

/// The most that is kept, and the most that is listened to, in bytes.
const MAX_KEPT: usize = 64 * 1024 * 1024;
const MAX_HEARD: usize = 256 * 1024 * 1024;

/// The most events that nobody asked for, or that are none.
const MAX_SKIPPED: usize = 1_000;

/// What an id costs to keep, in bytes.
const ID_COST: usize = 256;

/// All pages together may take so many times what one may.
const PATIENCE: u32 = 30;

/// What was read, and how much of what is allowed was used.
#[derive(Default)]
struct Gathered {
    events: Vec<Event>,
    ids: Vec<String>,
    seen: HashSet<String>,
    skipped: usize,
    kept: usize,
    heard: usize,
}

/// What one page showed.
#[derive(Default)]
struct Shown {
    /// How many different events, known ones included.
    count: usize,
    /// How many of them no earlier page had shown.
    new: usize,
    /// The oldest of them.
    oldest: Option<u64>,
    /// Some were newer than asked for.
    too_new: bool,
}

/// As much of an event as is needed to pass it over.
#[derive(Deserialize)]
struct Brief {
    id: String,
    created_at: u64,
}

type Known<'a> = &'a mut (dyn FnMut(&str) -> bool + Send);

impl Relays {
    /// Asks for what one filter matches, until the relay says that this is all. Waits so long at most, the turn at the relay
    /// included.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn page(&self, url: &str, filter: &Value, wait: Duration) -> Page {
        let mut gathered = Gathered::default();
        let end = match self.one(url, filter, Instant::now() + wait, &mut gathered, &mut |_| false).await {
            Ok(_) => End::Whole,
            Err(end) => end,
        };
        Page { events: gathered.events, skipped: gathered.skipped, end }
    }

    /// Asks for all that one filter matches, page by page. Each page waits so long at most, all of them thirty times that.
    ///
    /// Events whose ids are known are neither checked nor returned.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn all(&self, url: &str, filter: &Value, known: impl Fn(&str) -> bool + Send, wait: Duration) -> Listing {
        let last = Instant::now() + wait.saturating_mul(PATIENCE);
        let mut gathered = Gathered::default();
        let mut known = move |id: &str| known(id);
        let end = self.pages(url, filter, wait, last, &mut gathered, &mut known).await;
        Listing { events: gathered.events, ids: gathered.ids, skipped: gathered.skipped, end }
    }

    async fn pages(&self, url: &str, filter: &Value, wait: Duration, last: Instant, gathered: &mut Gathered, known: Known<'_>) -> End {
        let Value::Object(parts) = filter else { return End::Unreachable("this is no filter".to_owned()) };
        let mut until = parts.get("until").and_then(Value::as_u64);
        // The largest page so far, and the largest that proved to be cut short because an older event came after it.
        let (mut largest, mut cut_at) = (0_usize, 0_usize);
        let mut crowded: Option<usize> = None;
        let mut finished = false;
        for _ in 0..MAX_PAGES {
            let mut parts = parts.clone();
            parts.insert("limit".to_owned(), json!(PAGE));
            if let Some(until) = until {
                parts.insert("until".to_owned(), json!(until));
            }
            let deadline = last.min(Instant::now() + wait);
            let shown = match self.one(url, &Value::Object(parts), deadline, gathered, known).await {
                Ok(shown) => shown,
                Err(end) => return end,
            };
            if shown.new > 0 && until.is_some() {
                cut_at = cut_at.max(largest);
            }
            let Some(oldest) = shown.oldest else {
                finished = true;
                break;
            };
            if shown.new == 0 && shown.too_new {
                return End::Cut("the relay does not page".to_owned());
            }
            // A second that fills a page may hold more than the relay can be made to show.
            let one_second = until == Some(oldest);
            if shown.new > 0 || !one_second {
                until = Some(until.map_or(oldest, |until| until.min(oldest)));
            } else if shown.count < largest || oldest == 0 {
                finished = true;
                break;
            } else {
                crowded = crowded.max(Some(shown.count));
                until = oldest.checked_sub(1);
            }
            largest = largest.max(shown.count);
        }
        if !finished {
            return End::Cut("more pages than are read".to_owned());
        }
        match crowded {
            Some(count) if count >= PAGE || (cut_at > 0 && count >= cut_at) => {
                End::Cut("one second holds more events than the relay shows".to_owned())
            }
            _ => End::Whole,
        }
    }

    /// One request over the kept connection, or over a new one when that is dead.
    async fn one(&self, url: &str, filter: &Value, deadline: Instant, gathered: &mut Gathered, known: Known<'_>) -> Result<Shown, End> {
        let mut held = self.turn(url, deadline).await.map_err(|broken| End::Unreachable(broken.to_string()))?;
        loop {
            let (mut line, kept) = self.line(&mut held, url, deadline).await.map_err(|broken| End::Unreachable(broken.to_string()))?;
            match self.ask(&mut line, filter, deadline, gathered, known).await {
                Ok(shown) => {
                    keep(&mut held, line);
                    return Ok(shown);
                }
                Err(Stop::Broken(Broken::Lost { .. })) if kept && !line.heard => {}
                Err(Stop::Broken(broken)) => return Err(End::Cut(broken.to_string())),
                Err(Stop::Closed(reason)) => {
                    keep(&mut held, line);
                    return Err(End::Cut(reason));
                }
                Err(Stop::TooMuch(reason)) => return Err(End::Cut(reason.to_owned())),
            }
        }
    }

    async fn ask(
        &self,
        line: &mut Line,
        filter: &Value,
        deadline: Instant,
        gathered: &mut Gathered,
        known: Known<'_>,
    ) -> Result<Shown, Stop> {
        let mut named = false;
        let mut subscription = self.request(line, filter, deadline).await?;
        let mut shown = Shown::default();
        let mut here = HashSet::new();
        loop {
            let text = line.hear(deadline).await?;
            gathered.heard = gathered.heard.saturating_add(text.len());
            match Frame::read(&text) {
                Frame::Event { subscription: of, event } if of == subscription => {
                    gathered.take(event, filter, &mut shown, &mut here, known);
                }
                Frame::EndOfStored { subscription: of } if of == subscription => {
                    line.close(&subscription, deadline).await;
                    return Ok(shown);
                }
                Frame::Closed { subscription: of, reason } if of == subscription => {
                    if named || !begins(&reason, "auth-required") {
                        return Err(Stop::Closed(format!("the relay ended the request: {}", clean(&reason))));
                    }
                    named = true;
                    line.answer(self.identity.as_ref(), (self.now)(), deadline).await?;
                    subscription = self.request(line, filter, deadline).await?;
                }
                Frame::Auth { challenge } => line.challenged(challenge),
                _ => {}
            }
            if gathered.kept > MAX_KEPT || gathered.heard > MAX_HEARD {
                return Err(Stop::TooMuch("the relay sends more than is taken in"));
            }
            if gathered.skipped > MAX_SKIPPED {
                return Err(Stop::TooMuch("the relay sends too much that nobody asked for"));
            }
        }
    }

    async fn request(&self, line: &mut Line, filter: &Value, deadline: Instant) -> Result<String, Broken> {
        let subscription = line.next_subscription();
        line.send(json!(["REQ", subscription, filter]).to_string(), deadline).await?;
        Ok(subscription)
    }
}

/// Why a request brought less than all.
enum Stop {
    Broken(Broken),
    Closed(String),
    TooMuch(&'static str),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

fn keep(held: &mut Held, mut line: Line) {
    line.used = Instant::now();
    **held = Some(line);
}

impl Gathered {
    fn take(&mut self, text: &str, filter: &Value, shown: &mut Shown, here: &mut HashSet<String>, known: Known<'_>) {
        let until = filter.get("until").and_then(Value::as_u64);
        let brief = serde_json::from_str::<Brief>(text).ok().filter(|brief| text.len() <= MAX_EVENT && is_hex_64(&brief.id));
        let Some(brief) = brief else {
            self.skipped = self.skipped.saturating_add(1);
            return;
        };
        let is_new = !self.seen.contains(&brief.id);
        if is_new && !known(&brief.id) {
            match Event::read(text) {
                Ok(event) if matches(filter, &event) => {
                    self.kept = self.kept.saturating_add(event.weight());
                    self.events.push(event);
                }
                _ => {
                    self.skipped = self.skipped.saturating_add(1);
                    return;
                }
            }
        }
        // What was shown or known before and lies after the page's end: the relay does not look at the end.
        shown.too_new = shown.too_new || until.is_some_and(|until| brief.created_at > until);
        if is_new {
            self.kept = self.kept.saturating_add(ID_COST);
            self.ids.push(brief.id.clone());
            self.seen.insert(brief.id.clone());
            shown.new = shown.new.saturating_add(1);
        }
        if here.insert(brief.id) {
            shown.count = shown.count.saturating_add(1);
            let created_at = until.map_or(brief.created_at, |until| until.min(brief.created_at));
            shown.oldest = Some(shown.oldest.map_or(created_at, |oldest| oldest.min(created_at)));
        }
    }
}
