//! Makes good what relays lack that were read to their end: coins' events they do not hold, and
//! deletions they have lost.
//!
//! Each goes only to the relay that lacks it, as the same event. What a relay has refused for good
//! is not offered again but for one event a time, by which it is seen that it takes them now; a
//! relay that keeps no deletions is not given them without end.

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

/// How soon deletions are made for what other programs have replaced without one, after the last
/// time, in seconds: theirs may be on the way.
const DELETED_AGAIN_SECONDS: u64 = 60;
/// Deletions that one relay gets again at once.
const AGAIN_AT_ONCE: usize = 100;
/// After so many times in vain a relay forgets deletions, and how soon it is tried again then, in
/// seconds.
const TRIES: u8 = 3;
const TRIED_AGAIN_SECONDS: u64 = 86_400;
/// The name of the row.
const ROW: &str = "forgetful";

/// By relay that was read to its end: the ids of what it shows.
pub(crate) type ShownEvents = BTreeMap<String, BTreeSet<String>>;

/// How a relay keeps deletions that were brought to it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Forgetful {
    /// How often it had none of them at the next reading.
    tries: u8,
    /// When that was so the last time, in Unix seconds.
    at: u64,
    /// What it was given the last time.
    again: BTreeSet<String>,
}

/// Brings back what relays lack. `known` holds what was known before they were read, and what
/// they showed: what the wallet has made meanwhile, no relay can be expected to have shown.
/// `whole`: every relay of the owner was read to its end. Returns the sats of coins that turned
/// out to be spent.
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

/// Each of these events goes to every relay that was read to its end and does not show it.
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

/// Brings each event to these relays; one that is on its way has not reached them.
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
    // By relay: the smallest event that it has refused.
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
        // Where it was refused before and is not offered, it is as if it had been.
        event.acked.extend(lacking.into_iter().filter(|url| !goes_to.contains(url)));
        new.push(event);
    }
    if !changed.is_empty() {
        core.store.published(crate::store::PublishRound { changed, ..Default::default() }).await?;
    }
    if new.is_empty() { Ok(()) } else { Ok(core.store.queue_all(new).await?) }
}

/// By relay: deletions that it lacks, of events that it shows although they are gone. Other
/// devices would believe it.
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
        // What stands for the coins must be there before what held them goes.
        if !lacking.contains(url) {
            lost.insert(url.clone(), lacks);
        }
    }
    Ok(lost)
}

/// Lost deletions go to the relay that has lost them, unless it keeps none.
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
            // A relay that refuses is not one that forgets.
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
            // Another program writes them otherwise: from now on it is this one.
            core.store.add_deletions(vec![Deletion { id: event.id().to_owned(), ..of }]).await?;
        }
        let mut event = outgoing(&event, class::DELETION, now);
        event.acked = own.difference(&urls).cloned().collect();
        events.push((event, urls));
    }
    send_to(core, link, events).await
}

/// The relay keeps no deletions: it was given some again and again.
pub(crate) async fn forgets_deletions(core: &Core, url: &str) -> Result<bool, Failure> {
    let row: BTreeMap<String, Forgetful> = core.store.nostr_state(ROW).await?.unwrap_or_default();
    Ok(row.get(url).is_some_and(|relay| relay.tries >= TRIES))
}

/// What a relay will not take: how many events, and its words to one of them.
pub(crate) async fn refused_by(core: &Core, url: &str) -> Result<Option<(u64, String)>, Failure> {
    let refusals: Vec<RelayRefusal> =
        core.store.refusals().await?.into_iter().filter(|no| no.relay == url).collect();
    Ok(refusals.first().map(|no| (refusals.len() as u64, no.reason.clone())))
}

/// Refusals of what is not to be brought there any more.
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

/// Live events that no relay shows any more although all were read: another program may have
/// deleted them, because their coins are spent. The mints are asked about these first. Returns
/// those whose coins are still in doubt, and the sats of coins that are spent.
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
    // A mint that is not used is not asked: what it made is brought back as it is.
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
