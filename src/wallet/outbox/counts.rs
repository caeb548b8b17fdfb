//! How many events relays have not got, for whoever asks.
//!
//! Told from what the last round of publishing counted, so that a balance reads no row of the
//! queue.

use crate::store::QueuedEvent;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Counts, Link, plain_url};
use crate::wallet::outbox::publish::{is_published, targets};

/// Events that are not on enough relays. Reads no row of the queue.
pub(crate) async fn unpublished(core: &Core) -> Result<u64, Failure> {
    let Some(link) = &core.nostr else { return Ok(0) };
    let (counted, new) = counted(core, link).await?;
    Ok(counted
        .unpublished
        .saturating_add(new)
        .saturating_add(u64::from(core.store.unmirrored().await? > 0)))
}

/// How many events this relay has not got: on their way, missed while it was away, or refused
/// by it. Reads no row of the queue.
pub(crate) async fn unpublished_at(core: &Core, link: &Link, url: &str) -> Result<u64, Failure> {
    let (counted, new) = counted(core, link).await?;
    let refused = core.store.refusals().await?.iter().filter(|no| no.relay == url).count() as u64;
    let on_the_way = counted.at.get(url).copied().unwrap_or(0).saturating_add(new);
    Ok(on_the_way.saturating_add(core.store.missed(url).await?).saturating_add(refused))
}

/// What the last round counted, and how many events have come since, which no relay has.
async fn counted(core: &Core, link: &Link) -> Result<(Counts, u64), Failure> {
    let counted = link.seen().queue.clone();
    let new = core.store.queued().await?.saturating_sub(counted.all);
    Ok((counted, new))
}

impl Link {
    /// Counts what is in the queue, for whoever asks before the next round.
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
