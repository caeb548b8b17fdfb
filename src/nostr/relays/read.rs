//! Reading a relay: one request until it says that this is all, or page after page until nothing
//! new comes.
//!
//! Whole means that the relay said so. Relays give the newest first and no more than they like, so
//! the pages go back in time, each beginning in the second in which the one before it ended.

use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use nostr_sdk::{EventId, Filter, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::frame::Hint;
use super::request::{Gathered, IsKnown, PageSummary};
use super::{Difference, End, Listing, NotCompared, Page, Relays, filter_of};

/// How many events a page asks for.
const PAGE: usize = 500;

/// How many events are asked for at once by their ids: some relays take no longer list.
const NAMED: usize = 250;

/// The most pages.
const MAX_PAGES: usize = 200;

/// All pages together may take so many times what one may.
const PATIENCE: u32 = 30;

impl Relays {
    /// Asks for what one filter matches, until the relay says that this is all. Waits so long at
    /// most, the lock of the relay included.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn page(&self, url: &str, filter: &Value, wait: Duration) -> Page {
        let mut gathered = Gathered::default();
        let end = match filter_of(filter) {
            None => no_filter(),
            Some(filter) => match self
                .one(url, &filter, Instant::now() + wait, &mut gathered, &mut |_| false)
                .await
            {
                Ok(PageSummary { hint: Some(Hint::More), .. }) if filter.limit.is_none() => {
                    has_more()
                }
                Ok(_) => End::Whole,
                Err(end) => end,
            },
        };
        Page { events: gathered.events, skipped: gathered.skipped, end }
    }

    /// Asks for all that one filter matches, page by page. Each page waits so long at most, all of
    /// them thirty times that.
    ///
    /// Events whose ids are known are neither checked nor returned.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn all(
        &self,
        url: &str,
        filter: &Value,
        known: impl Fn(&str) -> bool + Send,
        wait: Duration,
    ) -> Listing {
        let last = Instant::now() + wait.saturating_mul(PATIENCE);
        let mut gathered = Gathered::default();
        let mut known = move |id: &str| known(id);
        let end = match filter_of(filter) {
            Some(filter) => self.pages(url, filter, wait, last, &mut gathered, &mut known).await,
            None => no_filter(),
        };
        gathered.listing(end)
    }

    /// Asks for what is new of all that one filter matches: as [`Relays::all`] does, but from a
    /// page of known events on by comparing with the relay first, if it can (NIP-77), so that what
    /// both sides have is not sent. `known`: the events' own times, in Unix seconds, by their ids;
    /// more than the filter matches does no harm.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn read_new(
        &self,
        url: &str,
        filter: &Value,
        known: &BTreeMap<String, u64>,
        wait: Duration,
    ) -> Listing {
        let not_comparing = || self.not_comparing.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= PAGE && !not_comparing().contains(url) {
            let have = known.iter().map(|(id, at)| (id.clone(), *at)).collect();
            match self.reconcile(url, filter, have, wait).await {
                Ok(difference) => return self.new_ones(url, filter, known, difference, wait).await,
                Err(NotCompared::Unreachable(reason)) => {
                    return Gathered::default().listing(End::Unreachable(reason));
                }
                Err(NotCompared::Unsupported(reason)) => {
                    tracing::debug!(
                        url,
                        reason,
                        "a relay that does not compare is read page by page"
                    );
                    not_comparing().insert(url.to_owned());
                }
                Err(NotCompared::Cut(_)) => {}
            }
        }
        self.all(url, filter, |id| known.contains_key(id), wait).await
    }

    /// Asks for the events that a comparison has named.
    async fn new_ones(
        &self,
        url: &str,
        filter: &Value,
        known: &BTreeMap<String, u64>,
        Difference { theirs, ours }: Difference,
        wait: Duration,
    ) -> Listing {
        let ours: HashSet<String> = ours.into_iter().collect();
        let mut gathered = Gathered::default();
        gathered.ids.extend(known.keys().filter(|id| !ours.contains(*id)).cloned());
        let theirs = theirs.into_iter().filter(|id| !known.contains_key(id)).collect();
        let end = match filter_of(filter) {
            Some(filter) => self.named(url, &filter, theirs, wait, &mut gathered).await,
            None => no_filter(),
        };
        gathered.listing(end)
    }

    /// Asks for events by their ids. What the relay named and does not give is passed over, as what
    /// it would not have named.
    async fn named(
        &self,
        url: &str,
        asked: &Filter,
        mut ids: Vec<String>,
        wait: Duration,
        gathered: &mut Gathered,
    ) -> End {
        let last = Instant::now() + wait.saturating_mul(PATIENCE);
        for _ in 0..MAX_PAGES {
            if ids.is_empty() {
                return End::Whole;
            }
            let some: Vec<String> = ids.drain(..ids.len().min(NAMED)).collect();
            let filter = asked.clone().ids(some.iter().filter_map(|id| EventId::from_hex(id).ok()));
            let shown = match self
                .one(url, &filter, last.min(Instant::now() + wait), gathered, &mut |_| false)
                .await
            {
                Ok(shown) => shown,
                Err(end) => return end,
            };
            if shown.new > 0 {
                // A relay may give fewer at once than are asked for.
                ids.extend(some.into_iter().filter(|id| !gathered.seen.contains(id)));
            }
        }
        End::Cut("more pages than are read".to_owned())
    }

    async fn pages(
        &self,
        url: &str,
        asked: Filter,
        wait: Duration,
        last: Instant,
        gathered: &mut Gathered,
        known: IsKnown<'_>,
    ) -> End {
        let mut until = asked.until.map(|until| until.as_secs());
        // The largest page so far, and the largest that proved to be cut short because an older
        // event came after it.
        let (mut largest, mut cut_at) = (0_usize, 0_usize);
        let mut crowded: Option<usize> = None;
        let (mut finished, mut more) = (false, false);
        for _ in 0..MAX_PAGES {
            let filter = Filter {
                limit: Some(PAGE),
                until: until.map(Timestamp::from_secs),
                ..asked.clone()
            };
            let deadline = last.min(Instant::now() + wait);
            let shown = match self.one(url, &filter, deadline, gathered, known).await {
                Ok(shown) => shown,
                Err(end) => return end,
            };
            if shown.new > 0 && until.is_some() {
                cut_at = cut_at.max(largest);
            }
            more = shown.hint == Some(Hint::More);
            let Some(oldest) = shown.oldest.filter(|_| shown.hint != Some(Hint::Finish)) else {
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
            _ if more => has_more(),
            Some(count) if count >= PAGE || (cut_at > 0 && count >= cut_at) => {
                End::Cut("one second holds more events than the relay shows".to_owned())
            }
            _ => End::Whole,
        }
    }
}

fn no_filter() -> End {
    End::Unreachable("this is no filter".to_owned())
}

fn has_more() -> End {
    End::Cut("the relay says that it has more than it shows".to_owned())
}
