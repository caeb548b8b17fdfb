//! Splits a token event that is too large for a relay into two.
//!
//! Together they contain all its proofs; what waited for it waits for both. Publishes nothing.

use crate::nostr::{Event, token_event};
use crate::store::{OutboxEvent, PublishRound, QueueRound, QueuedEvent};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::Link;
use crate::wallet::outbox::queue::{class, outgoing, row, unsigned};

/// Splits an event in two. Returns `false` if it cannot be split.
pub(super) async fn halve(
    core: &Core,
    link: &Link,
    large: &OutboxEvent,
    queue: &mut [QueuedEvent],
) -> Result<bool, Failure> {
    let (identity, now) = (&link.parts.identity, (core.clock)());
    let Ok(event) = Event::read(&large.json) else { return Ok(false) };
    let Ok(token) = token_event::read(identity, &event) else { return Ok(false) };
    if token.proofs.len() < 2 {
        return Ok(false);
    }
    let (first, second) = token.proofs.split_at(token.proofs.len() / 2);
    let mut round = QueueRound { gone: vec![large.id.clone()], ..QueueRound::default() };
    // Some relay may have stored the large event.
    let mut del = token.del.clone();
    del.push(large.id.clone());
    for (proofs, del) in [(first, &[][..]), (second, del.as_slice())] {
        let at = now.max(event.created_at());
        let half = token_event::write(identity, &token.mint, &token.unit, proofs, del, at)
            .map_err(unsigned)?;
        let ys =
            proofs.iter().map(|proof| proof.y().map_err(unsigned)).collect::<Result<_, _>>()?;
        let mut going = outgoing(&half, class::TOKEN, now);
        if !del.is_empty() {
            // It waits for what the large event waited for, and for the first half.
            going.after = round
                .new
                .iter()
                .map(|first| first.id.clone())
                .chain(large.after.iter().cloned())
                .collect();
        }
        round.outgoing.push(going);
        round.new.push(row(&half, token.mint.clone(), token.unit.clone(), ys));
    }
    let halves: Vec<String> = round.new.iter().map(|row| row.id.clone()).collect();
    let mut waits = Vec::new();
    for one in queue.iter_mut().filter(|one| one.event.after.contains(&large.id)) {
        one.event.after.retain(|id| *id != large.id);
        one.event.after.extend(halves.iter().cloned());
        waits.push(one.clone());
    }
    // Queue the halves first: a deletion waiting for events not in the queue would be sent at once.
    core.store.mirrored(round).await?;
    core.store.published(PublishRound { changed: waits, ..PublishRound::default() }).await?;
    Ok(true)
}
