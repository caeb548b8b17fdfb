//! Nutzaps that come in (NIP-61): found on every relay where they may arrive, and checked as far as
//! that asks nobody.
//!
//! A nutzap is coins: what of it can be ours waits to be taken in (`redeem`), whoever showed it.
//! What can never be ours is remembered by its name alone, for some time. Whoever sent it gets no
//! answer.

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

/// How long a nutzap waits, and how long the name of one that is done with is kept, in seconds.
pub(crate) const WAITED_SECONDS: u64 = 60 * 86_400;

/// How often a relay is asked for all nutzaps, of any time and any mint, in seconds.
const ALL_SECONDS: u64 = 7 * 86_400;

/// How far back it is asked in between, before the last time that it was read to its end, in
/// seconds: clocks differ, and what was signed before may be published later.
const OVERLAP_SECONDS: u64 = 2 * 86_400;

/// How much later than the last mark a new one is written, in seconds: each is a commit.
const MARK_SECONDS: u64 = 3_600;

/// The most that wait. What is beyond is taken in at once or left on its relay, which shows it
/// again when it is asked for all.
const MOST_WAITING: u64 = 1_000;

/// Relays that are read at once: what one shows may be large.
const AT_ONCE: usize = 2;

/// The name of the row that says up to when relays were read.
const ROW: &str = "nutzaps_read";

/// Up to when relays were read to their end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ReadUpTo {
    /// For which mints and keys: with others everything is read again.
    of: String,
    /// By relay: the last time, and the last time for all, in Unix seconds.
    relays: BTreeMap<String, (u64, u64)>,
}

impl ReadUpTo {
    /// What is asked of a relay, and whether that is all.
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

/// What can be said of an event without asking anybody.
enum NutzapVerdict {
    /// Coins that are ours, or may become it.
    Waits(NutzapRow),
    /// Nothing of it can ever be ours.
    Never,
    /// Of a mint that our own list does not name.
    Elsewhere,
}

/// Looks for nutzaps on all relays where they may arrive, and takes in what is ours.
///
/// # Errors
/// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
/// Relays and mints that do not answer are no error: it is done again.
///
/// # Cancel safety
/// Safe to drop: each is recorded before its mint is asked to swap its coins.
pub(crate) async fn collect_nutzaps(core: &Core, link: &Link) -> Result<(), Failure> {
    let about = about(core).await?;
    let keys = LockKeys::of(link, &about);
    let beyond = read_nutzaps(core, link, &about, &keys).await?;
    redeem_nutzaps(core, link, &keys, beyond).await
}

/// Reads the relays; what is new is recorded, in one commit for each. Returns those for which
/// there is no room to wait.
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
            // All of these are relays of ours: one that insists is told who we are.
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

/// One event that a relay showed, the first time.
async fn look(
    core: &Core,
    link: &Link,
    listed: &[MintAddress],
    keys: &LockKeys,
    event: &Event,
    url: &str,
) -> Result<NutzapVerdict, Failure> {
    // Thousands of them must not hold up whoever pays.
    tokio::task::yield_now().await;
    let now = (core.clock)();
    let Ok(nutzap) = nutzap::read(event, &link.parts.identity.public_key()) else {
        return Ok(NutzapVerdict::Never);
    };
    let Ok(mint) = nutzap.mint.parse::<MintAddress>() else { return Ok(NutzapVerdict::Never) };
    if !listed.contains(&mint) {
        return Ok(NutzapVerdict::Elsewhere);
    }
    // Older programs write msat and mean sats. What a coin is worth, its keyset says.
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
    // A key that is learned later opens what is locked to it.
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
    // Whom all coins name has sent them, though a copy of the event may be by somebody else.
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

/// Our own relays, and those that our list names.
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

/// The mints of our list, in each form in which a nutzap may name them.
fn as_written(about: &About, listed: &[MintAddress]) -> Vec<String> {
    let forms = about.nutzap_mints_as_written().chain(listed.iter().map(MintAddress::as_str));
    let bare: BTreeSet<&str> = forms.map(|form| form.trim_end_matches('/')).collect();
    bare.into_iter().flat_map(|form| [form.to_owned(), format!("{form}/")]).collect()
}

/// Which mints and keys nutzaps were looked for with.
fn fingerprint(listed: &[MintAddress], keys: &LockKeys) -> String {
    let mut parts: Vec<&str> = listed
        .iter()
        .map(MintAddress::as_str)
        .chain(keys.names().iter().map(String::as_str))
        .collect();
    parts.sort_unstable();
    hex::encode(Sha256::digest(parts.join(" ")))
}
