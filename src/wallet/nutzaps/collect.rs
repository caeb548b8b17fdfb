//! Collects incoming nutzaps (NIP-61) from relays, and checks them without contacting a mint.
//!
//! A nutzap is money: anything that may be ours waits to be redeemed (`redeem`), whichever relay
//! showed it. For the rest, only the event id is remembered, for some time. Senders get no answer.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::mint::dleq::{DleqStatus, KeyFetch};
use crate::model::mint::MintAddress;
use crate::model::text;
use crate::nostr::nutzap::{self, BadNutzap};
use crate::nostr::{End, Event, relay_list};
use crate::store::{Change, NutzapChanges, NutzapRow, NutzapState};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, MOST_RELAYS, QUESTION, plain_url};
use crate::wallet::nutzaps::redeem::redeem_nutzaps;
use crate::wallet::proofs::changes::sum_sats;
use crate::wallet::wallet_event::known::{About, about};
use crate::wallet::wallet_event::lock_keys::LockKeys;

/// Time that a nutzap may wait, and that a finished one's id is remembered, in seconds.
pub(crate) const WAITED_SECONDS: u64 = 60 * 86_400;

/// Interval for querying all nutzaps of a relay, of any time and mint, in seconds.
const ALL_SECONDS: u64 = 7 * 86_400;

/// Overlap of a query with the last complete read, in seconds: clocks differ, and an event may be
/// published long after it was signed.
const OVERLAP_SECONDS: u64 = 2 * 86_400;

/// Least advance of a read mark, in seconds, because each mark is a commit.
const MARK_SECONDS: u64 = 3_600;

/// Maximum number of nutzaps that wait. Further ones are redeemed at once or left on their relay
/// until the next full query.
const MOST_WAITING: u64 = 1_000;

/// Number of relays read at the same time; each may show a lot.
const AT_ONCE: usize = 2;

/// Row name in the store.
const ROW: &str = "nutzaps_read";

/// Progress of reading each relay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ReadUpTo {
    /// Fingerprint of the mints and keys; if it changes, everything is read again.
    of: String,
    /// Unix seconds of the last complete read and of the last full query, by relay.
    relays: BTreeMap<String, (u64, u64)>,
}

impl ReadUpTo {
    /// Returns the query for a relay, and whether it asks for everything.
    fn filter(&self, url: &str, me: &str, mints: &[String], now: u64) -> (Value, bool) {
        match self.relays.get(url) {
            Some((last, all)) if now < all.saturating_add(ALL_SECONDS) => {
                let since = last.saturating_sub(OVERLAP_SECONDS);
                (json!({"kinds": [nutzap::KIND], "#p": [me], "#u": mints, "since": since}), false)
            }
            _ => (json!({"kinds": [nutzap::KIND], "#p": [me]}), true),
        }
    }

    fn mark(&mut self, url: String, now: u64, is_all: bool) {
        let (last, all) = self.relays.get(&url).copied().unwrap_or_default();
        if is_all || last.saturating_add(MARK_SECONDS) < now {
            self.relays.insert(url, (now, if is_all { now } else { all }));
        }
    }
}

/// Verdict on an event, reached without contacting anyone.
enum NutzapVerdict {
    /// The proofs are ours, or may become ours.
    Waits(NutzapRow),
    /// Nothing of it can ever be ours.
    Never,
    /// The mint is not on our list.
    Elsewhere,
}

/// Collects nutzaps from all relays where they may arrive, and redeems ours. Relays and mints that
/// do not answer are tried again later.
///
/// # Errors
/// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
///
/// # Cancel safety
/// Safe to drop: each nutzap is recorded before its mint is asked to swap its proofs.
pub(crate) async fn collect_nutzaps(core: &Core, link: &Link) -> Result<(), Failure> {
    let about = about(core).await?;
    let keys = LockKeys::of(link, &about);
    let beyond = read_nutzaps(core, link, &about, &keys).await?;
    redeem_nutzaps(core, link, &keys, beyond).await
}

/// Reads the relays and records new nutzaps, in one commit per relay. Returns those for which there
/// is no room to wait.
async fn read_nutzaps(
    core: &Core,
    link: &Link,
    about: &About,
    keys: &LockKeys,
) -> Result<Vec<NutzapRow>, Failure> {
    let (now, me) = ((core.clock)(), link.parts.identity.public_key());
    let listed = about.nutzap_mints();
    if listed.is_empty() {
        return Ok(Vec::new());
    }
    let of = fingerprint(&listed, keys);
    let before: ReadUpTo = core.store.nostr_state(ROW).await?.unwrap_or_default();
    let mut read = before.clone();
    if read.of != of {
        read = ReadUpTo { of, ..ReadUpTo::default() };
    }
    let mints = as_written(about, &listed);
    let mut known = core.store.known_nutzaps().await?;
    let asked: Vec<_> = arrivals(link, about)
        .into_iter()
        .map(|url| (read.filter(&url, &me, &mints, now), url))
        .collect();
    let at_first = &known.clone();
    let mut shown =
        futures::stream::iter(asked.into_iter().map(|((filter, is_all), url)| async move {
            // These are our own relays, so we authenticate if one requires it (NIP-42).
            let listing = link.parts.relays.read_new(&url, &filter, at_first, QUESTION).await;
            (url, is_all, listing)
        }))
        .buffer_unordered(AT_ONCE);
    let mut room = MOST_WAITING.saturating_sub(core.store.count_nutzaps().await?);
    let (mut beyond, mut asked_for_all) = (Vec::new(), false);
    while let Some((url, is_all, listing)) = shown.next().await {
        let mut found = NutzapChanges { at: now, ..NutzapChanges::default() };
        for event in listing
            .events
            .iter()
            .filter(|event| known.insert(event.id().to_owned(), event.created_at()).is_none())
        {
            match look(core, link, &listed, keys, event, &url).await? {
                NutzapVerdict::Waits(row) if room > 0 => {
                    room = room.saturating_sub(1);
                    found.rows.push(row);
                }
                NutzapVerdict::Waits(row) => beyond.push(row),
                NutzapVerdict::Never => {
                    found.done.insert(event.id().to_owned(), event.created_at());
                }
                NutzapVerdict::Elsewhere => {}
            }
        }
        if !found.is_empty() {
            core.store.commit(vec![Change::Nutzaps(found)]).await?;
        }
        if matches!(listing.end, End::Whole) {
            asked_for_all |= is_all;
            read.mark(url, now, is_all);
        }
    }
    if asked_for_all {
        core.store.forget_nutzaps(now.saturating_sub(WAITED_SECONDS)).await?;
    }
    if read != before {
        core.store.set_nostr_state(ROW, read).await?;
    }
    Ok(beyond)
}

/// Examines an event that is shown for the first time.
async fn look(
    core: &Core,
    link: &Link,
    listed: &[MintAddress],
    keys: &LockKeys,
    event: &Event,
    url: &str,
) -> Result<NutzapVerdict, Failure> {
    // Thousands of nutzaps must not delay payments.
    tokio::task::yield_now().await;
    let now = (core.clock)();
    let Ok(nutzap) = nutzap::read(event, &link.parts.identity.public_key()) else {
        return Ok(NutzapVerdict::Never);
    };
    let Ok(mint) = nutzap.mint.parse::<MintAddress>() else { return Ok(NutzapVerdict::Never) };
    if !listed.contains(&mint) {
        return Ok(NutzapVerdict::Elsewhere);
    }
    // Older programs write msat and mean sats; the keyset gives the real unit.
    if nutzap.unit != "sat" && !nutzap.unit.starts_with("msat") {
        return Ok(NutzapVerdict::Never);
    }
    let (mut ours, mut not_yet, mut senders) = (Vec::new(), Vec::new(), BTreeSet::new());
    for proof in nutzap.proofs {
        match keys.opens(&proof.secret, now) {
            Ok(opens) => {
                senders.insert(opens.sender);
                ours.push(proof);
            }
            Err(BadNutzap::OtherKey) => not_yet.push(proof),
            Err(_) => {}
        }
    }
    // A key learned later may unlock the rest.
    let mut proofs = if ours.is_empty() { not_yet } else { ours };
    if let Ok(mint) = core.mints.even_unchecked(&mint) {
        let mut made = mint
            .check_dleq(&proofs.iter().collect::<Vec<_>>(), KeyFetch::CachedOnly)
            .await?
            .into_iter();
        proofs.retain(|_| made.next() != Some(DleqStatus::Invalid));
    }
    if proofs.is_empty() || sum_sats(&proofs) < link.parts.nutzap_min_sats {
        return Ok(NutzapVerdict::Never);
    }
    // A sender named by all proofs is the real one, even if someone else signed a copy.
    let named = if senders.len() == 1 { senders.pop_first().flatten() } else { None };
    Ok(NutzapVerdict::Waits(NutzapRow {
        id: nutzap.id,
        relay: url.to_owned(),
        sender_proven: named.is_some(),
        is_copy: named.as_ref().is_some_and(|named| *named != nutzap.sender),
        sender: named.unwrap_or(nutzap.sender),
        mint,
        comment: text::clean(&nutzap.comment),
        proofs,
        created_at: event.created_at(),
        seen_at: now,
        next_at: 0,
        tries: 0,
        state: NutzapState::Waiting,
    }))
}

/// Returns the relays where nutzaps arrive: the owner's, and those on our list.
pub(crate) fn arrivals(link: &Link, about: &About) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    let listed = relay_list::usable(about.nutzap_relays());
    for url in link.parts.urls.iter().chain(&listed).map(|url| plain_url(url)) {
        if !urls.contains(&url) && urls.len() < MOST_RELAYS {
            urls.push(url);
        }
    }
    urls
}

/// Returns the mints of our list, in every form that a nutzap may use.
fn as_written(about: &About, listed: &[MintAddress]) -> Vec<String> {
    let forms = about.nutzap_mints_as_written().chain(listed.iter().map(MintAddress::as_str));
    let bare: BTreeSet<&str> = forms.map(|form| form.trim_end_matches('/')).collect();
    bare.into_iter().flat_map(|form| [form.to_owned(), format!("{form}/")]).collect()
}

/// Fingerprints the mints and keys used for a search.
fn fingerprint(listed: &[MintAddress], keys: &LockKeys) -> String {
    let mut parts: Vec<&str> = listed
        .iter()
        .map(MintAddress::as_str)
        .chain(keys.names().iter().map(String::as_str))
        .collect();
    parts.sort_unstable();
    hex::encode(Sha256::digest(parts.join(" ")))
}
