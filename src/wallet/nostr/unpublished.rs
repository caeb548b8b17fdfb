//! How many events relays have not got, for whoever asks.
//!
//! Told from what the last round of publishing counted, so that a balance reads no row of the
//! queue.

use super::super::Wallet;
use super::super::failure::Failure;
use super::flush::{is_published, targets};
use super::{Counts, Link, plain_url};
use crate::store::Queued;

impl Wallet {
    /// Events that are not on enough relays. Reads no row of the queue.
    pub(in super::super) async fn unpublished(&self) -> Result<u64, Failure> {
        let Some(link) = &self.nostr else { return Ok(0) };
        let (counted, new) = self.counted(link).await?;
        Ok(counted
            .unpublished
            .saturating_add(new)
            .saturating_add(u64::from(self.store.unmirrored().await? > 0)))
    }

    /// How many events this relay has not got: on their way, missed while it was away, or refused
    /// by it. Reads no row of the queue.
    pub(in super::super) async fn unpublished_at(
        &self,
        link: &Link,
        url: &str,
    ) -> Result<u64, Failure> {
        let (counted, new) = self.counted(link).await?;
        let refused =
            self.store.refusals().await?.iter().filter(|no| no.relay == url).count() as u64;
        let on_the_way = counted.at.get(url).copied().unwrap_or(0).saturating_add(new);
        Ok(on_the_way.saturating_add(self.store.missed(url).await?).saturating_add(refused))
    }

    /// What the last round counted, and how many events have come since, which no relay has.
    async fn counted(&self, link: &Link) -> Result<(Counts, u64), Failure> {
        let counted = link.seen().queue.clone();
        let new = self.store.queued().await?.saturating_sub(counted.all);
        Ok((counted, new))
    }
}

impl Link {
    /// Counts what is in the queue, for whoever asks before the next round.
    pub(super) fn count(&self, queue: &[Queued]) {
        let unpublished = queue.iter().filter(|one| !is_published(self, &one.event)).count() as u64;
        let lacks = |one: &&Queued, url: &String| {
            targets(self, &one.event).contains(url) && !one.event.acked.contains(url)
        };
        let lacking =
            |url: String| (url.clone(), queue.iter().filter(|one| lacks(one, &url)).count() as u64);
        let at = self.parts.urls.iter().map(|url| lacking(plain_url(url))).collect();
        self.seen().queue = Counts { all: queue.len() as u64, unpublished, at };
    }
}
