//! One round of publishing: what is in the queue goes to the relays that do not have it yet.
//!
//! Counts each relay's own word; `duplicate` is a yes. A deletion goes only once what it waits for is on enough relays, so that coins
//! are never on fewer relays than before. An event that is too large for a relay is made into two.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::super::Wallet;
use super::super::error::Error;
use super::mirror::{class, outgoing, row, unsigned};
use super::{Link, MOST_RELAYS, QUESTION, plain_url};
use crate::model::text;
use crate::nostr::{Ack, Event, token_event};
use crate::store::{Mirrored, Outgoing, Queued};

/// How long one relay may take where somebody waits for it.
const AT_ONCE: Duration = Duration::from_secs(5);
/// The first wait after a round in which a relay did not take an event, and the longest, in seconds.
const WAITS: (u64, u64) = (5, 600);
/// Passes in which what waits for others may follow at once: an event may have to be halved some times first.
const PASSES: usize = 12;
/// After this, an event that enough relays have is not brought to the others any more, in seconds.
const GIVEN_UP_SECONDS: u64 = 30 * 86_400;

/// What one relay said to some events.
struct Said {
    url: String,
    acks: Vec<((u8, u64), Ack)>,
}

impl Wallet {
    /// Publishes what is due; with `now`, all of it. Returns when to come again, and nothing when the queue is empty.
    ///
    /// # Errors
    /// `storage_failed`.
    ///
    /// # Cancel safety
    /// Safe to drop: what a relay has taken and we have not written down is sent to it once more.
    pub(in super::super) async fn flush(&self, now: bool) -> Result<Option<Duration>, Error> {
        let Some(link) = &self.nostr else { return Ok(None) };
        let _one_at_a_time = link.flushing.lock().await;
        let mut force = now;
        for _ in 0..PASSES {
            let queue = self.store.outbox().await?;
            if !self.flush_once(link, queue, force).await? {
                break;
            }
            // What waited for the pass before has had its turn; what failed in it waits.
            force = false;
        }
        let clock = (self.clock)();
        let queue = self.store.outbox().await?;
        // What waits for another event comes when that one has gone through.
        let unheard: BTreeSet<&str> = queue.iter().filter(|one| !is_published(link, &one.event)).map(|one| one.event.id.as_str()).collect();
        let free = queue.iter().filter(|one| !one.event.after.iter().any(|id| unheard.contains(id.as_str())));
        let next = free.map(|one| one.event.next_at.saturating_sub(clock)).min();
        Ok(next.map(|seconds| Duration::from_secs(seconds.max(1))))
    }

    /// One pass. Whether something went through that others may wait for.
    async fn flush_once(&self, link: &Link, mut queue: Vec<Queued>, force: bool) -> Result<bool, Error> {
        let clock = (self.clock)();
        let mut superseded = superseded(&queue);
        superseded.extend(self.needless(&queue).await?);
        queue.retain(|one| !superseded.contains(&one.place));
        self.store.published(Vec::new(), superseded).await?;
        let waiting: BTreeSet<&str> = queue.iter().filter(|one| !is_published(link, &one.event)).map(|one| one.event.id.as_str()).collect();
        let due: Vec<&Queued> = queue
            .iter()
            .filter(|one| (force || one.event.next_at <= clock) && !one.event.after.iter().any(|id| waiting.contains(id.as_str())))
            .collect();
        let mut by_relay: BTreeMap<String, Vec<&Queued>> = BTreeMap::new();
        for one in &due {
            // A relay's no is for good, but not where too few have it: coins, or somebody's zap, may hang on it.
            let again = force && !is_published(link, &one.event);
            for url in targets(link, &one.event) {
                // What is said of the wallet replaces what a relay holds: it must have been read, or keys could be lost there.
                let unread = one.event.class == class::ABOUT && !link.seen().about_read.contains(&url);
                if unread {
                    continue;
                }
                if !one.event.acked.contains(&url) && (again || !one.event.refused.contains_key(&url)) {
                    by_relay.entry(url).or_default().push(one);
                }
            }
        }
        let said = join_all(by_relay.into_iter().map(|(url, events)| tell(link, url, events))).await;
        let mut rows: BTreeMap<(u8, u64), Outgoing> = due.iter().map(|one| (one.place, one.event.clone())).collect();
        let mut too_large = BTreeSet::new();
        for Said { url, acks } in said {
            for (place, ack) in acks {
                let Some(event) = rows.get_mut(&place) else { continue };
                match ack {
                    Ack::Stored => {
                        event.refused.remove(&url);
                        event.acked.insert(url.clone());
                    }
                    // Where enough others have it whole, it stays whole.
                    Ack::Refused { too_large: true, .. } if event.kind == token_event::KIND && !is_published(link, event) => {
                        too_large.insert(place);
                    }
                    Ack::Refused { reason, lasting: true, .. } => drop(event.refused.insert(url.clone(), text::clean(&reason))),
                    Ack::Refused { reason, .. } => tracing::debug!(reason = text::clean(&reason), "a relay refused an event for now"),
                    Ack::NoAnswer(reason) => tracing::debug!(reason = text::clean(&reason), "a relay did not answer"),
                }
            }
        }
        let (mut changed, mut done, mut went) = (Vec::new(), Vec::new(), false);
        for (place, mut event) in rows {
            let before = due.iter().find(|one| one.place == place).is_some_and(|one| is_published(link, &one.event));
            let published = is_published(link, &event);
            went |= published && !before;
            let all = targets(link, &event).iter().all(|url| event.acked.contains(url) || event.refused.contains_key(url));
            if too_large.contains(&place) && !published && self.halve(link, &event).await? {
                done.push(place);
                went = true;
                continue;
            }
            if published && (all || event.made_at.saturating_add(GIVEN_UP_SECONDS) < clock) {
                done.push(place);
                continue;
            }
            event.tries = event.tries.saturating_add(1);
            let wait = WAITS.0.checked_shl(event.tries.min(16)).unwrap_or(WAITS.1).min(WAITS.1);
            event.next_at = clock.saturating_add(wait);
            changed.push(Queued { place, event });
        }
        self.store.published(changed, done).await?;
        Ok(went)
    }

    /// Brings one event to its relays at once, ahead of all others, and writes down who has it.
    pub(in super::super) async fn publish_one(&self, id: &str) -> Result<(), Error> {
        let Some(link) = &self.nostr else { return Ok(()) };
        let _one_at_a_time = link.flushing.lock().await;
        let Some(mut one) = self.store.outbox().await?.into_iter().find(|one| one.event.id == id) else { return Ok(()) };
        let asked = &one;
        let said = join_all(
            targets(link, &one.event)
                .into_iter()
                .map(|url| async move { tokio::time::timeout(AT_ONCE, tell(link, url, vec![asked])).await.ok() }),
        )
        .await;
        for Said { url, acks } in said.into_iter().flatten() {
            if acks.iter().any(|(_, ack)| matches!(ack, Ack::Stored)) {
                one.event.acked.insert(url);
            }
        }
        Ok(self.store.published(vec![one], Vec::new()).await?)
    }

    /// Coins' events that were replaced before any relay had them.
    async fn needless(&self, queue: &[Queued]) -> Result<Vec<(u8, u64)>, Error> {
        let unheard: Vec<&Queued> = queue.iter().filter(|one| one.event.class == class::TOKEN && one.event.acked.is_empty()).collect();
        if unheard.is_empty() {
            return Ok(Vec::new());
        }
        let gone = self.store.gone_among(unheard.iter().map(|one| one.event.id.clone()).collect()).await?;
        // A deletion that waits for one of these would go at once, and what it deletes might stand alone.
        let awaited: BTreeSet<&String> = queue.iter().flat_map(|one| &one.event.after).collect();
        let needless = |one: &&Queued| gone.contains(&one.event.id) && !awaited.contains(&one.event.id);
        Ok(unheard.into_iter().filter(needless).map(|one| one.place).collect())
    }

    /// Makes two events of one that is too large; what waited for it waits for both. `false`: it cannot be made smaller.
    async fn halve(&self, link: &Link, large: &Outgoing) -> Result<bool, Error> {
        let (identity, now) = (&link.parts.identity, (self.clock)());
        let Ok(event) = Event::read(&large.json) else { return Ok(false) };
        let Ok(token) = token_event::read(identity, &event) else { return Ok(false) };
        if token.proofs.len() < 2 {
            return Ok(false);
        }
        let (first, second) = token.proofs.split_at(token.proofs.len() / 2);
        let mut round = Mirrored { gone: vec![large.id.clone()], ..Mirrored::default() };
        // Some relay may have taken the large one.
        let mut del = token.del.clone();
        del.push(large.id.clone());
        for (proofs, del) in [(first, &[][..]), (second, del.as_slice())] {
            let at = now.max(event.created_at());
            let half = token_event::write(identity, &token.mint, &token.unit, proofs, del, at).map_err(unsigned)?;
            let ys = proofs.iter().map(|proof| proof.y().map_err(unsigned)).collect::<Result<_, _>>()?;
            let mut going = outgoing(&half, class::TOKEN, now);
            if !del.is_empty() {
                // As the whole one waited, and for its other half.
                going.after = round.new.iter().map(|first| first.id.clone()).chain(large.after.iter().cloned()).collect();
            }
            round.outgoing.push(going);
            round.new.push(row(&half, token.mint.clone(), token.unit.clone(), ys));
        }
        let halves: Vec<String> = round.new.iter().map(|row| row.id.clone()).collect();
        let mut waits = self.store.outbox().await?;
        waits.retain(|one| one.event.after.contains(&large.id));
        for one in &mut waits {
            one.event.after.retain(|id| *id != large.id);
            one.event.after.extend(halves.iter().cloned());
        }
        // In this order: a deletion that waited for halves that are not queued would go at once.
        self.store.mirrored(round).await?;
        self.store.published(waits, Vec::new()).await?;
        Ok(true)
    }

    /// Events that are not on enough relays.
    pub(in super::super) async fn unpublished(&self) -> Result<u64, Error> {
        let Some(link) = &self.nostr else { return Ok(0) };
        let queue = self.store.outbox().await?;
        let events = queue.iter().filter(|one| !is_published(link, &one.event)).count() as u64;
        Ok(events.saturating_add(u64::from(self.store.unmirrored().await? > 0)))
    }

    /// By relay: how many events it is still to get.
    pub(in super::super) async fn unpublished_at(&self, link: &Link, url: &str) -> Result<u64, Error> {
        let queue = self.store.outbox().await?;
        let lacks = |event: &Outgoing| targets(link, event).iter().any(|one| one == url) && !event.acked.contains(url);
        Ok(queue.iter().filter(|one| lacks(&one.event)).count() as u64)
    }
}

/// What a replaceable event replaces (NIP-01): kind, author, `d` tag.
type Address = (u16, String, String);

/// Events that a newer one in the queue replaces on every relay: nobody needs them any more, and relays refuse what comes too late.
fn superseded(queue: &[Queued]) -> Vec<(u8, u64)> {
    let mut newest: BTreeMap<Address, (u64, (u8, u64))> = BTreeMap::new();
    let mut older = Vec::new();
    for one in queue.iter().filter(|one| one.event.class == class::ABOUT) {
        let Ok(event) = Event::read(&one.event.json) else { continue };
        let replaceable = (10_000..20_000).contains(&event.kind()) || (30_000..40_000).contains(&event.kind());
        if !replaceable {
            continue;
        }
        let name = event.tag_values("d").next().unwrap_or_default().to_owned();
        let this = (event.created_at(), one.place);
        let known = newest.entry((event.kind(), event.author().to_owned(), name)).or_insert(this);
        if *known < this {
            older.push(known.1);
            *known = this;
        } else if known.1 != one.place {
            older.push(one.place);
        }
    }
    older
}

/// Brings some events to one relay, one after the other. One that does not answer is left alone for this round.
async fn tell(link: &Link, url: String, events: Vec<&Queued>) -> Said {
    let mut acks = Vec::new();
    for one in events {
        let relays = if link.is_own(&url) { &link.parts.relays } else { &link.parts.strangers };
        let ack = relays.publish(&url, &one.event.json, &one.event.id, QUESTION).await;
        let away = matches!(ack, Ack::NoAnswer(_));
        acks.push((one.place, ack));
        if away {
            break;
        }
    }
    Said { url, acks }
}

/// Where an event goes: the owner's relays, and others that are named with it.
fn targets(link: &Link, event: &Outgoing) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for url in link.parts.urls.iter().chain(&event.beside).map(|url| plain_url(url)) {
        if !urls.contains(&url) && urls.len() < MOST_RELAYS {
            urls.push(url);
        }
    }
    urls
}

/// Enough relays have it: of the owner's own, or for a zap any one.
pub(super) fn is_published(link: &Link, event: &Outgoing) -> bool {
    if event.class == class::ZAP {
        return !event.acked.is_empty();
    }
    let own = link.parts.urls.iter().filter(|url| event.acked.contains(&plain_url(url))).count();
    own >= link.quorum()
}
