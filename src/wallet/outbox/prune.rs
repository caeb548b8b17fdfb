//! Removes queued events that a newer one replaced before any relay had them.
//!
//! However long all relays are away, proofs that change often occupy few events. Contacts nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::nostr::Event;
use crate::store::{PublishRound, QueuedEvent};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::outbox::queue::class;

/// Removes needless events from `queue` and from the store.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
pub(super) async fn prune(core: &Core, queue: &mut Vec<QueuedEvent>) -> Result<(), Failure> {
    let mut done: BTreeSet<(u8, u64)> = superseded(queue).into_iter().collect();
    let (mut changed, mut needless) = (BTreeSet::new(), BTreeSet::new());
    let unheard =
        queue.iter().filter(|one| one.event.class == class::TOKEN && one.event.acked.is_empty());
    let unheard: BTreeMap<String, (u8, u64)> =
        unheard.map(|one| (one.event.id.clone(), one.place)).collect();
    let gone = if unheard.is_empty() {
        BTreeMap::new()
    } else {
        core.store.gone_among(unheard.keys().cloned().collect()).await?
    };
    for (id, by) in &gone {
        // Events that wait for this one now wait for what its deletion waits for: the replacements
        // that contain its proofs.
        let instead =
            queue.iter().find(|one| one.event.id == *by).map(|one| one.event.after.clone());
        let waits = |one: &QueuedEvent| one.event.id != *by && one.event.after.contains(id);
        if instead.is_none() && queue.iter().any(waits) {
            continue;
        }
        for one in queue.iter_mut().filter(|one| waits(one)) {
            one.event.after.retain(|after| after != id);
            one.event.after.extend(instead.iter().flatten().cloned());
            changed.insert(one.place);
        }
        needless.insert(id.clone());
        done.extend(unheard.get(id));
    }
    let by: BTreeSet<&String> = gone.values().collect();
    let nothing_else = |one: &&QueuedEvent| {
        let ids = named(&one.event.json);
        !ids.is_empty() && ids.iter().all(|id| needless.contains(id))
    };
    let deletions =
        queue.iter().filter(|one| by.contains(&one.event.id) && one.event.acked.is_empty());
    done.extend(deletions.filter(nothing_else).map(|one| one.place));
    queue.retain(|one| !done.contains(&one.place));
    let changed = queue.iter().filter(|one| changed.contains(&one.place)).cloned().collect();
    Ok(core
        .store
        .published(PublishRound {
            changed,
            done: done.into_iter().collect(),
            ..PublishRound::default()
        })
        .await?)
}

/// Returns the event ids that one of our deletions names.
fn named(json: &str) -> Vec<String> {
    let event: Value = serde_json::from_str(json).unwrap_or_default();
    let tags = event.get("tags").and_then(Value::as_array).into_iter().flatten();
    let named = tags
        .filter(|tag| tag.get(0).and_then(Value::as_str) == Some("e"))
        .filter_map(|tag| tag.get(1)?.as_str());
    named.map(str::to_owned).collect()
}

/// Key of a replaceable event (NIP-01): kind, author, `d` tag.
type Address = (u16, String, String);

/// Finds replaceable events superseded in the queue. Relays reject them if they arrive late.
fn superseded(queue: &[QueuedEvent]) -> Vec<(u8, u64)> {
    let mut newest: BTreeMap<Address, (u64, (u8, u64))> = BTreeMap::new();
    let mut older = Vec::new();
    for one in queue.iter().filter(|one| one.event.class == class::ABOUT) {
        let Ok(event) = Event::read(&one.event.json) else { continue };
        let replaceable =
            (10_000..20_000).contains(&event.kind()) || (30_000..40_000).contains(&event.kind());
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
