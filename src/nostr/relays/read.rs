//! Reads from a relay: one request, or page after page until no new event arrives.
//!
//! A read is whole only if the relay reports the end. Relays return the newest events first and
//! limit their number, so paging goes back in time; each page begins in the second in which the
//! previous one ended, because that second may have been cut.

use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use nostr_sdk::{EventId, Filter, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::frame::Hint;
use super::request::{Gathered, IsKnown, PageSummary};
use super::{Difference, End, Listing, NotCompared, Page, Relays, filter_of};

/// Number of events that a page requests.
const PAGE: usize = 500;

/// Number of ids in one request; some relays reject longer lists.
const NAMED: usize = 250;

/// Maximum number of pages of one read.
const MAX_PAGES: usize = 200;

/// Time limit for all pages together, as a multiple of that for one page.
const PATIENCE: u32 = 30;

impl Relays {
    /// Sends one request and reads until the relay reports the end. Waits up to `wait`, including
    /// the wait for the relay's lock.
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

    /// Reads all events that match a filter, page by page. Each page may take `wait`, all pages
    /// together thirty times that.
    ///
    /// Events with known ids are neither verified nor returned.
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

    /// Reads the events that match a filter and are not known, as [`Relays::all`] does. With 500
    /// known events or more it first reconciles (NIP-77), if the relay supports that, so that
    /// events on both sides are not sent. `known` maps event ids to `created_at` in Unix seconds;
    /// it may contain events that the filter does not match.
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
                        "reading page by page from a relay that cannot reconcile"
                    );
                    not_comparing().insert(url.to_owned());
                }
                Err(NotCompared::Cut(_)) => {}
            }
        }
        self.all(url, filter, |id| known.contains_key(id), wait).await
    }

    /// Reads the events that a reconciliation found.
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

    /// Reads events by their ids. An event that the relay named but does not send is skipped, as if
    /// it had not been named.
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
                // A relay may send fewer events than were requested.
                ids.extend(some.into_iter().filter(|id| !gathered.seen.contains(id)));
            }
        }
        End::Cut("the relay has more pages than the limit".to_owned())
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
        // The largest page so far, and the largest that is known to be cut, because older events
        // followed it.
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
                return End::Cut("the relay does not support paging".to_owned());
            }
            // If one second fills a page, the relay may have more events of it than it sends.
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
            return End::Cut("the relay has more pages than the limit".to_owned());
        }
        match crowded {
            _ if more => has_more(),
            Some(count) if count >= PAGE || (cut_at > 0 && count >= cut_at) => {
                End::Cut("one second contains more events than the relay sends".to_owned())
            }
            _ => End::Whole,
        }
    }
}

fn no_filter() -> End {
    End::Unreachable("the filter is invalid".to_owned())
}

fn has_more() -> End {
    End::Cut("the relay says that it has more events".to_owned())
}
