//! Counts of events that relays lack.
//!
//! They come from the last publish pass, so that a balance call does not read the queue.

use crate::store::QueuedEvent;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Counts, Link, plain_url};
use crate::wallet::outbox::publish::{is_published, targets};

/// Returns the number of events on too few relays, without reading the queue.
pub(crate) async fn unpublished(core: &Core) -> Result<u64, Failure> {
    let Some(link) = &core.nostr else { return Ok(0) };
    let (counted, new) = counted(core, link).await?;
    Ok(counted
        .unpublished
        .saturating_add(new)
        .saturating_add(u64::from(core.store.unmirrored().await? > 0)))
}

/// Returns the number of events one relay lacks: queued, missed while it was away, or rejected by
/// it. Does not read the queue.
pub(crate) async fn unpublished_at(core: &Core, link: &Link, url: &str) -> Result<u64, Failure> {
    let (counted, new) = counted(core, link).await?;
    let refused = core.store.refusals().await?.iter().filter(|no| no.relay == url).count() as u64;
    let on_the_way = counted.at.get(url).copied().unwrap_or(0).saturating_add(new);
    Ok(on_the_way.saturating_add(core.store.missed(url).await?).saturating_add(refused))
}

/// Returns the counts of the last pass, and the number of events queued since, which no relay has.
async fn counted(core: &Core, link: &Link) -> Result<(Counts, u64), Failure> {
    let counted = link.seen().queue.clone();
    let new = core.store.queued().await?.saturating_sub(counted.all);
    Ok((counted, new))
}

impl Link {
    /// Stores the queue's counts for calls before the next pass.
    pub(crate) fn count(&self, queue: &[QueuedEvent]) {
        let unpublished = queue.iter().filter(|one| !is_published(self, &one.event)).count() as u64;
        let lacks = |one: &&QueuedEvent, url: &String| {
            targets(self, &one.event).contains(url) && !one.event.acked.contains(url)
        };
        let lacking =
            |url: String| (url.clone(), queue.iter().filter(|one| lacks(one, &url)).count() as u64);
        let at = self.parts.urls.iter().map(|url| lacking(plain_url(url))).collect();
        self.seen().queue = Counts { all: queue.len() as u64, unpublished, at };
    }
}
