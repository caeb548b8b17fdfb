//! Repairs completely read relays: sends token events they lack, and deletions they have lost.
//!
//! Each event goes only to the relays that lack it, unchanged. Of the events that a relay has
//! rejected for good, only one is offered at a time, as a probe. A relay that keeps losing
//! deletions gets them at most once a day.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::nostr::{deletion, token_event};
use crate::store::{Deletion, OutboxEvent, QueuedEvent, RelayRefusal, TokenEventRow};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, plain_url};
use crate::wallet::outbox::queue::{DELETED_AT_ONCE, class, deleted, outgoing, unsigned};
use crate::wallet::sync::pull::AlreadyRead;
use crate::wallet::sync::verify::{Verified, verify_at};

/// Least time between two rounds of deletions for events that other programs replaced without
/// deleting; theirs may be on the way. In seconds.
const DELETED_AGAIN_SECONDS: u64 = 60;
/// Maximum number of deletions sent to one relay again per pass.
const AGAIN_AT_ONCE: usize = 100;
/// Failed attempts after which a relay counts as forgetting deletions, and the time until the next
/// attempt, in seconds.
const TRIES: u8 = 3;
const TRIED_AGAIN_SECONDS: u64 = 86_400;
/// Row name in the store.
const ROW: &str = "forgetful";

/// Ids shown, by completely read relay.
pub(crate) type ShownEvents = BTreeMap<String, BTreeSet<String>>;

/// Record of deletions that were sent to a relay again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Forgetful {
    /// Number of consecutive passes after which the relay had none of them.
    tries: u8,
    /// Unix seconds of the last such check.
    at: u64,
    /// Ids of the deletions sent last.
    again: BTreeSet<String>,
}

/// Sends relays what they lack. `known` is what the store knew before the read plus what the relays
/// showed; events the wallet made since cannot be expected there. `whole`: all of the owner's
/// relays were read completely. Returns the sats of proofs that turned out to be spent.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
pub(crate) async fn make_good(
    core: &Core,
    link: &Link,
    tokens: &ShownEvents,
    deletions: &ShownEvents,
    known: &AlreadyRead,
    whole: bool,
) -> Result<u64, Failure> {
    let mut live = core.store.live_token_events().await?;
    live.retain(|row| known.tokens.contains_key(&row.id));
    let lacks = |ids: &BTreeSet<String>| live.iter().any(|row| !ids.contains(&row.id));
    let lacking: BTreeSet<String> =
        tokens.iter().filter(|(_, ids)| lacks(ids)).map(|(url, _)| url.clone()).collect();
    let mut lost = lost_deletions(core, link, tokens, deletions, &lacking).await?;
    lost.values_mut().for_each(|lacks| lacks.retain(|id| known.deletions.contains_key(id)));
    forget_idle_refusals(core, &live, &lost, tokens).await?;
    let (doubted, dropped_sats) =
        if whole { doubt_vanished(core, link, &live, tokens).await? } else { Default::default() };
    let back = live.iter().filter(|row| !row.json.is_empty() && !doubted.contains(&row.id));
    let rows = back.map(|row| {
        OutboxEvent::new(&row.id, token_event::KIND, &row.json, class::TOKEN, (core.clock)())
    });
    send_again(core, link, rows.collect(), tokens).await?;
    delete_again(core, link, lost).await?;
    core.store.forget_missed(tokens.keys().cloned().collect()).await?;
    Ok(dropped_sats)
}

/// Sends each event to all completely read relays that do not show it.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
pub(crate) async fn send_again(
    core: &Core,
    link: &Link,
    events: Vec<OutboxEvent>,
    shown: &ShownEvents,
) -> Result<(), Failure> {
    let lacking = events.into_iter().map(|mut event| {
        let lacking: BTreeSet<String> = shown
            .iter()
            .filter(|(_, ids)| !ids.contains(&event.id))
            .map(|(url, _)| url.clone())
            .collect();
        event.acked = shown.keys().filter(|url| !lacking.contains(*url)).cloned().collect();
        (event, lacking)
    });
    send_to(core, link, lacking.filter(|(_, lacking)| !lacking.is_empty()).collect()).await
}

/// Queues each event for its relays; a queued one no longer counts as stored there.
async fn send_to(
    core: &Core,
    link: &Link,
    events: Vec<(OutboxEvent, BTreeSet<String>)>,
) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let _no_round_meanwhile = link.publishing.lock().await;
    let queue = core.store.outbox().await?;
    let queued: BTreeMap<&str, &QueuedEvent> =
        queue.iter().map(|one| (one.event.id.as_str(), one)).collect();
    let refused: BTreeSet<(String, String)> =
        core.store.refusals().await?.into_iter().map(|no| (no.id, no.relay)).collect();
    let is_refused =
        |event: &OutboxEvent, url: &String| refused.contains(&(event.id.clone(), url.clone()));
    // The smallest rejected event, by relay.
    let mut probes: BTreeMap<&String, &OutboxEvent> = BTreeMap::new();
    for (event, lacking) in &events {
        for url in lacking.iter().filter(|url| is_refused(event, url)) {
            let probe = probes.entry(url).or_insert(event);
            if event.json.len() < probe.json.len() {
                *probe = event;
            }
        }
    }
    let probes: BTreeSet<(String, String)> =
        probes.into_iter().map(|(url, event)| (event.id.clone(), url.clone())).collect();
    let (mut changed, mut new) = (Vec::new(), Vec::new());
    for (mut event, lacking) in events {
        link.behind(&lacking);
        let goes = |url: &String| {
            !is_refused(&event, url) || probes.contains(&(event.id.clone(), url.clone()))
        };
        let goes_to: BTreeSet<String> = lacking.iter().filter(|url| goes(url)).cloned().collect();
        if goes_to.is_empty() {
            continue;
        }
        if let Some(one) = queued.get(event.id.as_str()) {
            let mut again = QueuedEvent::clone(one);
            again.event.acked.retain(|url| !goes_to.contains(url));
            if again.event.acked.len() < one.event.acked.len() {
                again.event.next_at = 0;
                changed.push(again);
            }
            continue;
        }
        // A relay that rejected the event, and is not probed with it, counts as done.
        event.acked.extend(lacking.into_iter().filter(|url| !goes_to.contains(url)));
        new.push(event);
    }
    if !changed.is_empty() {
        core.store.published(crate::store::PublishRound { changed, ..Default::default() }).await?;
    }
    if new.is_empty() { Ok(()) } else { Ok(core.store.queue_all(new).await?) }
}

/// Returns deletions that each relay lacks, of events that it still shows. Other devices would
/// accept those events. Makes a deletion for replaced events that have none.
async fn lost_deletions(
    core: &Core,
    link: &Link,
    tokens: &ShownEvents,
    deletions: &ShownEvents,
    lacking: &BTreeSet<String>,
) -> Result<ShownEvents, Failure> {
    let shown: BTreeSet<String> = tokens.values().flatten().cloned().collect();
    let mut gone = core.store.gone_among(shown).await?;
    let now = (core.clock)();
    let lately = link
        .seen()
        .deleted_again_at
        .is_some_and(|at| now < at.saturating_add(DELETED_AGAIN_SECONDS));
    let without: Vec<String> =
        gone.iter().filter(|(_, by)| by.is_empty()).map(|(id, _)| id.clone()).collect();
    if !lately && !without.is_empty() {
        link.seen().deleted_again_at = Some(now);
        let mut made = Vec::new();
        for some in without.chunks(DELETED_AT_ONCE) {
            let event = deletion::write(&link.parts.identity, some, now).map_err(unsigned)?;
            gone.extend(some.iter().map(|id| (id.clone(), event.id().to_owned())));
            made.push(deleted(&event, some));
        }
        core.store.add_deletions(made).await?;
    }
    let mut lost = ShownEvents::new();
    for (url, ids) in tokens {
        let has = deletions.get(url);
        let lacks = ids
            .iter()
            .filter_map(|id| gone.get(id))
            .filter(|by| !by.is_empty() && !has.is_some_and(|has| has.contains(*by)));
        let lacks: BTreeSet<String> = lacks.cloned().collect();
        // Replacement events must be on the relay before the deletion of the old ones.
        if !lacking.contains(url) {
            lost.insert(url.clone(), lacks);
        }
    }
    Ok(lost)
}

/// Queues lost deletions for the relays that lost them, unless a relay keeps losing them.
async fn delete_again(core: &Core, link: &Link, lost: ShownEvents) -> Result<(), Failure> {
    let now = (core.clock)();
    let before: BTreeMap<String, Forgetful> =
        core.store.nostr_state(ROW).await?.unwrap_or_default();
    let refused: BTreeSet<(String, String)> =
        core.store.refusals().await?.into_iter().map(|no| (no.id, no.relay)).collect();
    let (mut after, mut wanted) = (before.clone(), BTreeMap::<String, BTreeSet<String>>::new());
    for (url, lacks) in lost {
        let mut relay = after.remove(&url).unwrap_or_default();
        if !relay.again.is_empty() {
            let in_vain = relay.again.is_subset(&lacks);
            relay.tries = if in_vain { relay.tries.saturating_add(1) } else { 0 };
            relay.at = now;
            relay.again.clear();
        }
        let rests = relay.tries >= TRIES && now < relay.at.saturating_add(TRIED_AGAIN_SECONDS);
        let some: Vec<&String> =
            if rests { Vec::new() } else { lacks.iter().take(AGAIN_AT_ONCE).collect() };
        for id in some {
            // A relay that rejects a deletion does not count as losing it.
            if !refused.contains(&(id.clone(), url.clone())) {
                relay.again.insert(id.clone());
            }
            wanted.entry(id.clone()).or_default().insert(url.clone());
        }
        if relay.tries > 0 || !relay.again.is_empty() {
            after.insert(url, relay);
        }
    }
    if after != before {
        core.store.set_nostr_state(ROW, after).await?;
    }
    let own: BTreeSet<String> = link.parts.urls.iter().map(|url| plain_url(url)).collect();
    let mut events = Vec::new();
    for of in core.store.deletions(wanted.keys().cloned().collect()).await? {
        let Some(urls) = wanted.remove(&of.id) else { continue };
        let Ok(event) = deletion::write(&link.parts.identity, &of.ids, of.at) else { continue };
        if event.id() != of.id {
            // Another program serializes it differently; use our id from now on.
            core.store.add_deletions(vec![Deletion { id: event.id().to_owned(), ..of }]).await?;
        }
        let mut event = outgoing(&event, class::DELETION, now);
        event.acked = own.difference(&urls).cloned().collect();
        events.push((event, urls));
    }
    send_to(core, link, events).await
}

/// Returns whether the relay keeps losing deletions.
pub(crate) async fn forgets_deletions(core: &Core, url: &str) -> Result<bool, Failure> {
    let row: BTreeMap<String, Forgetful> = core.store.nostr_state(ROW).await?.unwrap_or_default();
    Ok(row.get(url).is_some_and(|relay| relay.tries >= TRIES))
}

/// Returns the number of events that a relay has rejected, and its reason for one of them. `None`:
/// it has rejected none.
pub(crate) async fn refused_by(core: &Core, url: &str) -> Result<Option<(u64, String)>, Failure> {
    let refusals: Vec<RelayRefusal> =
        core.store.refusals().await?.into_iter().filter(|no| no.relay == url).collect();
    Ok(refusals.first().map(|no| (refusals.len() as u64, no.reason.clone())))
}

/// Forgets rejections of events that the relay no longer needs.
async fn forget_idle_refusals(
    core: &Core,
    live: &[TokenEventRow],
    lost: &ShownEvents,
    read: &ShownEvents,
) -> Result<(), Failure> {
    let mut idle = core.store.refusals().await?;
    if idle.is_empty() {
        return Ok(());
    }
    let live: BTreeSet<&String> = live.iter().map(|row| &row.id).collect();
    idle.retain(|no| match no.class {
        class::TOKEN => {
            !live.contains(&no.id) || read.get(&no.relay).is_some_and(|ids| ids.contains(&no.id))
        }
        class::DELETION => lost.get(&no.relay).is_some_and(|lacks| !lacks.contains(&no.id)),
        _ => false,
    });
    Ok(core.store.forget_refusals(idle).await?)
}

/// Checks live events that no relay shows although all were read: another program may have deleted
/// them because their proofs are spent, so the mints are asked first. Returns the events still in
/// doubt, and the sats of spent proofs.
async fn doubt_vanished(
    core: &Core,
    link: &Link,
    live: &[TokenEventRow],
    shown: &ShownEvents,
) -> Result<(BTreeSet<String>, u64), Failure> {
    let mut vanished: BTreeMap<&String, &str> = BTreeMap::new();
    for row in live
        .iter()
        .filter(|row| !row.json.is_empty() && shown.values().all(|ids| !ids.contains(&row.id)))
    {
        vanished.insert(&row.id, &row.mint);
    }
    if vanished.is_empty() || shown.is_empty() {
        return Ok(Default::default());
    }
    let on_their_way: BTreeSet<String> =
        core.store.outbox().await?.into_iter().map(|one| one.event.id).collect();
    vanished.retain(|id, _| !on_their_way.contains(*id));
    let setup = core.setup().await?;
    let listed: Vec<_> = setup
        .mints()
        .filter(|mint| vanished.values().any(|at| *at == mint.address.as_str()))
        .collect();
    // A mint not in use is not asked; its events are sent again unchecked.
    vanished.retain(|_, at| listed.iter().any(|mint| mint.address.as_str() == *at));
    if vanished.is_empty() {
        return Ok(Default::default());
    }
    let ids: Vec<String> = vanished.into_keys().cloned().collect();
    core.store.mark_events_unverified(ids.clone()).await?;
    let mut said = Verified::default();
    for mint in listed {
        let _asking = link.asking(&mint.address);
        if let Err(error) = verify_at(core, &mint.address, &mut said).await {
            tracing::debug!(
                %error,
                "a mint was not asked about coins that relays have lost"
            );
        }
    }
    Ok((core.store.unverified_events(ids).await?, said.dropped_sats))
}
