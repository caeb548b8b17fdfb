//! Publishes queued events to the relays that lack them.
//!
//! Each relay's own acknowledgement counts; `duplicate` means stored. A deletion goes to a relay
//! only once that relay, and enough others, have the events it waits for, so that no proof is ever
//! on fewer relays than before. A token event too large for a relay is split in two. An event
//! leaves the queue once enough relays have it; the next read of another relay shows if that one
//! lacks it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use crate::model::text;
use crate::nostr::{Ack, token_event};
use crate::store::{OutboxEvent, PublishRound, QueuedEvent, RelayRefusal};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, MOST_RELAYS, QUESTION, plain_url};
use crate::wallet::outbox::halve::halve;
use crate::wallet::outbox::prune::prune;
use crate::wallet::outbox::queue::class;

/// Timeout of one relay while a caller waits.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Base and limit of the wait after an attempt, in seconds; each attempt doubles it.
const WAITS: (u64, u64) = (5, 600);
/// Maximum number of passes in one round. Later passes send what waited for earlier ones; an event
/// may have to be split several times first.
const PASSES: usize = 12;
/// Age limit in seconds of events about the wallet that some relays still lack, history on too few
/// relays, and nutzaps on none of the recipient's relays.
const GIVEN_UP_SECONDS: u64 = 30 * 86_400;
/// Time that a delivered nutzap is still sent to the rest of the recipient's relays, in seconds.
const SPREAD_SECONDS: u64 = 86_400;

/// Answers of one relay to some events.
struct RelayAcks {
    url: String,
    acks: Vec<((u8, u64), Ack)>,
}

/// Result of one publish pass.
#[derive(Default)]
struct PassResult {
    /// An event went through that others may wait for.
    went: bool,
    /// Events were split; the halves are not in the loaded queue yet.
    halved: bool,
}

/// State of an event that others wait for.
struct Awaited {
    published: bool,
    acked: BTreeSet<String>,
}

/// Events that others in this queue wait for, by id.
struct Waits(BTreeMap<String, Awaited>);

impl Waits {
    fn of(link: &Link, queue: &[QueuedEvent]) -> Self {
        let named: BTreeSet<&String> = queue.iter().flat_map(|one| &one.event.after).collect();
        let awaited = queue.iter().map(|one| &one.event).filter(|event| named.contains(&event.id));
        Self(
            awaited
                .map(|event| {
                    (
                        event.id.clone(),
                        Awaited {
                            published: is_published(link, event),
                            acked: event.acked.clone(),
                        },
                    )
                })
                .collect(),
        )
    }

    /// Returns whether too few relays have what this event waits for.
    fn holds(&self, event: &OutboxEvent) -> bool {
        event.after.iter().filter_map(|id| self.0.get(id)).any(|awaited| !awaited.published)
    }

    /// Returns whether this relay lacks what the event waits for.
    fn holds_at(&self, event: &OutboxEvent, url: &str) -> bool {
        event
            .after
            .iter()
            .filter_map(|id| self.0.get(id))
            .any(|awaited| !awaited.acked.contains(url))
    }
}

/// Publishes due events, or all of them with `now`. Returns the time until the next attempt;
/// `None`: queue empty.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
///
/// # Cancel safety
/// Safe to drop: an event whose acknowledgement was not recorded is sent again.
pub(crate) async fn publish_queue(core: &Core, now: bool) -> Result<Option<Duration>, Failure> {
    let Some(link) = &core.nostr else { return Ok(None) };
    let _one_at_a_time = link.publishing.lock().await;
    let mut queue = core.store.outbox().await?;
    prune(core, &mut queue).await?;
    let mut force = now;
    for _ in 0..PASSES {
        let pass = flush_once(core, link, &mut queue, force).await?;
        if pass.halved {
            queue = core.store.outbox().await?;
        }
        if !pass.went {
            break;
        }
        // Only newly freed events are still due; what failed in this pass waits.
        force = false;
    }
    link.count(&queue);
    let (clock, waits) = ((core.clock)(), Waits::of(link, &queue));
    // An event that waits for another follows when that one has gone through.
    let free = queue.iter().filter(|one| !waits.holds(&one.event));
    let next = free.map(|one| one.event.next_at.saturating_sub(clock)).min();
    Ok(next.map(|seconds| Duration::from_secs(seconds.max(1))))
}

/// Makes one pass over the loaded queue and updates it, except for split events.
async fn flush_once(
    core: &Core,
    link: &Link,
    queue: &mut Vec<QueuedEvent>,
    force: bool,
) -> Result<PassResult, Failure> {
    let clock = (core.clock)();
    let waits = Waits::of(link, queue);
    let mut due: BTreeMap<(u8, u64), bool> = BTreeMap::new();
    let mut by_relay: BTreeMap<String, Vec<&QueuedEvent>> = BTreeMap::new();
    for one in
        queue.iter().filter(|one| (force || one.event.next_at <= clock) && !waits.holds(&one.event))
    {
        let published = is_published(link, &one.event);
        due.insert(one.place, published);
        // A rejection is final, unless too few relays have the event: proofs, or someone's zap, may
        // depend on it.
        let again = force && !published;
        for url in targets(link, &one.event) {
            // An event about the wallet replaces the relay's, which may contain keys: read it
            // first.
            let unread = one.event.class == class::ABOUT && !link.seen().about_read.contains(&url);
            let answered =
                one.event.acked.contains(&url) || (!again && one.event.refused.contains_key(&url));
            if !unread && !answered && !waits.holds_at(&one.event, &url) {
                by_relay.entry(url).or_default().push(one);
            }
        }
    }
    let said = join_all(by_relay.into_iter().map(|(url, events)| tell(link, url, events))).await;
    let (mut round, mut pass, mut too_large) =
        (PublishRound::default(), PassResult::default(), Vec::new());
    let at: BTreeMap<(u8, u64), usize> =
        queue.iter().enumerate().map(|(index, one)| (one.place, index)).collect();
    for RelayAcks { url, acks } in said {
        for (place, ack) in acks {
            let Some(event) =
                at.get(&place).and_then(|index| queue.get_mut(*index)).map(|one| &mut one.event)
            else {
                continue;
            };
            match ack {
                Ack::Stored => {
                    event.refused.remove(&url);
                    event.acked.insert(url.clone());
                    round.stored.push((event.id.clone(), url.clone()));
                }
                // It stays whole if enough other relays have it whole.
                Ack::Refused { too_large: true, .. }
                    if event.kind == token_event::KIND && !is_published(link, event) =>
                {
                    too_large.push(place);
                }
                Ack::Refused { reason, lasting: true, .. } => {
                    drop(event.refused.insert(url.clone(), text::clean(&reason)))
                }
                Ack::Refused { reason, .. } => tracing::debug!(
                    reason = text::clean(&reason),
                    "a relay refused an event for now"
                ),
                Ack::NoAnswer(reason) => {
                    tracing::debug!(reason = text::clean(&reason), "a relay did not answer")
                }
            }
        }
    }
    for place in too_large {
        let Some(large) =
            at.get(&place).and_then(|index| queue.get(*index)).map(|one| one.event.clone())
        else {
            continue;
        };
        if !round.done.contains(&place)
            && !is_published(link, &large)
            && halve(core, link, &large, queue).await?
        {
            round.done.push(place);
            pass.halved = true;
        }
    }
    queue.retain(|one| !round.done.contains(&one.place));
    pass.went = pass.halved;
    for one in queue.iter_mut() {
        let Some(before) = due.get(&one.place) else { continue };
        pass.went |= !before && is_published(link, &one.event);
        let event = &mut one.event;
        event.tries = event.tries.saturating_add(1);
        let wait = WAITS.0.checked_shl(event.tries.min(16)).unwrap_or(WAITS.1).min(WAITS.1);
        event.next_at = clock.saturating_add(wait);
        if event.class == class::ZAP {
            round.delivered.push((event.id.clone(), event.delivered()));
        }
    }
    leave(link, queue, clock, &mut round);
    round.changed = queue.iter().filter(|one| due.contains_key(&one.place)).cloned().collect();
    core.store.published(round).await?;
    Ok(pass)
}

/// Publishes one nutzap at once, ahead of all others, and records who has it.
pub(crate) async fn publish_one(core: &Core, id: &str) -> Result<(), Failure> {
    let Some(link) = &core.nostr else { return Ok(()) };
    let _one_at_a_time = link.publishing.lock().await;
    let Some(mut one) =
        core.store.queued_in(class::ZAP).await?.into_iter().find(|one| one.event.id == id)
    else {
        return Ok(());
    };
    let asked = &one;
    let said = join_all(targets(link, &one.event).into_iter().map(|url| async move {
        tokio::time::timeout(AT_ONCE, tell(link, url, vec![asked])).await.ok()
    }))
    .await;
    for RelayAcks { url, acks } in said.into_iter().flatten() {
        if acks.iter().any(|(_, ack)| matches!(ack, Ack::Stored)) {
            one.event.acked.insert(url);
        }
    }
    let delivered = vec![(one.event.id.clone(), one.event.delivered())];
    Ok(core
        .store
        .published(PublishRound { changed: vec![one], delivered, ..PublishRound::default() })
        .await?)
}

/// Removes finished events from the queue and records which relays lack them. Events that others
/// wait for stay until those are gone.
fn leave(link: &Link, queue: &mut Vec<QueuedEvent>, clock: u64, round: &mut PublishRound) {
    let waits = Waits::of(link, queue);
    loop {
        let named: BTreeSet<String> =
            queue.iter().flat_map(|one| one.event.after.iter().cloned()).collect();
        let (gone, rest): (Vec<QueuedEvent>, Vec<QueuedEvent>) =
            std::mem::take(queue).into_iter().partition(|one| {
                !named.contains(&one.event.id) && is_done(link, &waits, &one.event, clock)
            });
        *queue = rest;
        if gone.is_empty() {
            return;
        }
        for QueuedEvent { place, event } in gone {
            round.done.push(place);
            if !matches!(event.class, class::TOKEN | class::DELETION | class::ABOUT) {
                continue;
            }
            let lacks =
                |url: &String| !event.acked.contains(url) && !event.refused.contains_key(url);
            round.missed.extend(link.parts.urls.iter().map(|url| plain_url(url)).filter(lacks));
            let no = |(relay, reason)| RelayRefusal {
                id: event.id.clone(),
                relay,
                class: event.class,
                reason,
            };
            round.refused.extend(event.refused.clone().into_iter().map(no));
        }
    }
}

/// Returns whether nothing more is to be done for the event.
fn is_done(link: &Link, waits: &Waits, event: &OutboxEvent, clock: u64) -> bool {
    let published = is_published(link, event);
    let older_than = |seconds: u64| event.made_at.saturating_add(seconds) < clock;
    let answered = |url: &String| {
        event.acked.contains(url)
            || event.refused.contains_key(url)
            || (!waits.holds(event) && waits.holds_at(event, url))
    };
    let all = || targets(link, event).iter().all(answered);
    event.tries > 0
        && match event.class {
            class::ZAP if published => all() || older_than(SPREAD_SECONDS),
            // While no relay answers at all, silence says nothing about the recipient's relays.
            class::ZAP => older_than(GIVEN_UP_SECONDS) && link.is_online(),
            class::TOKEN => published,
            // Reading the relays later shows which of them lacks it.
            class::DELETION => published || all(),
            class::ABOUT => published && (all() || older_than(GIVEN_UP_SECONDS)),
            _ => published || all() || older_than(GIVEN_UP_SECONDS),
        }
}

/// Sends events to one relay, one after the other, until it does not answer.
async fn tell(link: &Link, url: String, events: Vec<&QueuedEvent>) -> RelayAcks {
    let mut acks = Vec::new();
    for one in events {
        // Our signature identifies us anyway, so we authenticate if the relay requires it (NIP-42).
        // Anonymous events use the other pool.
        let relays =
            if one.event.anonymous { &link.parts.anonymous_relays } else { &link.parts.relays };
        let ack = relays.publish(&url, &one.event.json, &one.event.id, QUESTION).await;
        let away = matches!(ack, Ack::NoAnswer(_));
        acks.push((one.place, ack));
        if away {
            break;
        }
    }
    RelayAcks { url, acks }
}

/// Returns the relays for an event: the recipient's, if any, and the owner's.
pub(crate) fn targets(link: &Link, event: &OutboxEvent) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for url in event.beside.iter().chain(&link.parts.urls).map(|url| plain_url(url)) {
        if !urls.contains(&url) && urls.len() < MOST_RELAYS {
            urls.push(url);
        }
    }
    urls
}

/// Returns whether enough of the owner's relays have the event; for a nutzap, if one of the
/// recipient's relays has it.
pub(crate) fn is_published(link: &Link, event: &OutboxEvent) -> bool {
    if event.class == class::ZAP {
        return event.delivered() > 0;
    }
    let own = link.parts.urls.iter().filter(|url| event.acked.contains(&plain_url(url))).count();
    own >= link.quorum()
}
