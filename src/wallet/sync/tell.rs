//! Publishes the wallet event (NIP-60, kind 17375) and the nutzap list (NIP-61, kind 10019).
//!
//! Writes only after all of the owner's relays were read completely, or over an event of this
//! wallet's own, and sends to a relay only after the last sync has read it. Never drops a key, and
//! never writes for the first time if the Nostr key's wallet may be elsewhere (`elsewhere`). A play
//! wallet never overwrites a wallet with mints not known as test mints. From the public list, a
//! device removes only its own entries.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::mint::{MintAddress, MoneyKind};
use crate::nostr::Event;
use crate::nostr::nutzap_info::{self, NutzapInfo};
use crate::nostr::wallet_event::{self, WalletEvent};
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, plain_url};
use crate::wallet::outbox::queue::{class, outgoing, unsigned};
use crate::wallet::sync::backups::backups;
use crate::wallet::sync::pull::Pulled;
use crate::wallet::sync::send_again::send_again;
use crate::wallet::wallet_event::known::{About, EventVersion, ROW, about};

/// Publishes what relays lack about the wallet, if that is safe.
///
/// # Errors
/// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
pub(crate) async fn tell_about(core: &Core, link: &Link, pulled: &Pulled) -> Result<(), Failure> {
    let (setup, events, whole) = (core.setup().await?, &pulled.about, pulled.whole);
    let mut about = about(core).await?;
    let newest = [&about.wallet, &about.info].map(|said| said.as_ref().map(|said| said.id.clone()));
    let shown =
        newest.iter().flatten().filter_map(|id| events.iter().find(|event| event.id() == id));
    let shown = shown.map(|event| outgoing(event, class::ABOUT, (core.clock)())).collect();
    send_again(core, link, shown, &pulled.about_at).await?;
    if whole {
        // An event that no relay shows any more, and that is not queued, is lost and written again.
        let unshown = newest
            .each_ref()
            .map(|id| id.as_ref().filter(|id| !events.iter().any(|event| event.id() == *id)));
        let any = unshown.iter().any(Option::is_some);
        let queue = if any { core.store.queued_in(class::ABOUT).await? } else { Vec::new() };
        [about.wallet_lost, about.info_lost] =
            unshown.map(|id| id.is_some_and(|id| !queue.iter().any(|one| one.event.id == *id)));
    }
    if setup.money == MoneyKind::Play {
        about.test_mints.extend(setup.mints().map(|mint| mint.address.to_string()));
    }
    let known = backups(core).await?.test_mints;
    let foreign = setup.money == MoneyKind::Play && names_unknown_mints(&about, &setup, &known);
    let unreadable = |event: &&Event| {
        pulled.unreadable.contains(event.id())
            && EventVersion::of(event).beats(about.wallet.as_ref())
    };
    let foreign = foreign || events.iter().any(|event| unreadable(&event));
    about.turned_off |= !link.parts.nutzaps;
    let off = about.is_off();
    let mut may_write = (whole || about.written) && !foreign;
    let elsewhere = if may_write { about.elsewhere(link, events).await } else { Vec::new() };
    may_write &= elsewhere.is_empty();
    {
        let mut seen = link.seen();
        seen.read_only = foreign || !elsewhere.is_empty();
        (seen.elsewhere, seen.nutzaps_off) = (elsewhere, off);
    }
    if may_write {
        if about.privkeys.is_empty() {
            about.privkeys.push(link.parts.nutzap_key.clone());
        }
        write_wallet(core, link, &setup, &mut about).await?;
        if !off {
            write_info(core, link, &setup, &mut about).await?;
        }
    }
    Ok(core.store.set_nostr_state(ROW, about).await?)
}

async fn write_wallet(
    core: &Core,
    link: &Link,
    setup: &Setup,
    about: &mut About,
) -> Result<(), Failure> {
    let now = (core.clock)();
    let mints =
        joined(&about.mints, setup.mints().map(|mint| mint.address.to_string()), plain_mint);
    let relays = joined(&about.relays, link.parts.urls.iter().map(|url| plain_url(url)), plain_url);
    let first = about.wallet.is_none();
    let has_all_keys = about.privkeys.iter().all(|key| about.newest_keys.contains(key));
    if !first
        && !about.wallet_lost
        && has_all_keys
        && about.written
        && mints == about.mints
        && relays == about.relays
    {
        return Ok(());
    }
    let told = WalletEvent {
        privkeys: about.privkeys.clone(),
        mints,
        relays,
        others: about.others.clone(),
    };
    let at = about.wallet.as_ref().map_or(now, |said| now.max(said.at.saturating_add(1)));
    let event = wallet_event::write(&link.parts.identity, &told, at).map_err(unsigned)?;
    (about.wallet, about.written) = (Some(EventVersion::of(&event)), true);
    (about.mints, about.relays, about.newest_keys) =
        (told.mints.clone(), told.relays.clone(), told.privkeys.clone());
    // Store the row first: a queued event that is not remembered would be written again.
    core.store.set_nostr_state(ROW, about.clone()).await?;
    core.store.queue(outgoing(&event, class::ABOUT, now)).await?;
    if first || !has_all_keys {
        let backup =
            wallet_event::write_backup(&link.parts.identity, &told, at).map_err(unsigned)?;
        core.store.queue(outgoing(&backup, class::ABOUT, now)).await?;
    }
    Ok(())
}

async fn write_info(
    core: &Core,
    link: &Link,
    setup: &Setup,
    about: &mut About,
) -> Result<(), Failure> {
    let keys = about.keys();
    let Some(current) = keys.first() else { return Ok(()) };
    let ours =
        about.info_key.as_ref().is_none_or(|key| keys.iter().any(|one| one.public_x() == key));
    if about.info.is_some() && !ours {
        // Another program receives nutzaps with a key we do not have; replacing it would lose them.
        tracing::warn!(
            "the nutzap list on relays names a key that this wallet does not have; the list is left unchanged"
        );
        return Ok(());
    }
    let (now, on) = ((core.clock)(), link.parts.nutzaps);
    let known: Vec<String> = about.info_mints.iter().map(|(mint, _)| mint.clone()).collect();
    let listed = setup.mints().filter(|_| on).map(|mint| mint.address.to_string()).collect();
    let mints = revised(&known, &mut about.added_mints, listed, plain_mint);
    let listed = link.parts.urls.iter().filter(|_| on).map(|url| plain_url(url)).collect();
    let relays = revised(&about.info_relays, &mut about.added_relays, listed, plain_url);
    let as_it_is = mints == known && relays == about.info_relays;
    // With nutzaps off, this device only removes its own entries.
    let in_order = !on
        || (about.info.is_some()
            && !about.info_lost
            && about.info_key.is_some()
            && !about.info_bare);
    if as_it_is && in_order {
        return Ok(());
    }
    let units = |mint: &String| {
        about.info_mints.iter().find(|(one, _)| one == mint).map(|(_, units)| units.clone())
    };
    let mints: Vec<(String, Vec<String>)> = mints
        .iter()
        .map(|mint| (mint.clone(), units(mint).unwrap_or_else(|| vec!["sat".to_owned()])))
        .collect();
    let key = about.info_key.clone().unwrap_or_else(|| current.public_x().to_owned());
    let key = Some(key).filter(|_| on || !mints.is_empty());
    let info = NutzapInfo { relays: relays.clone(), mints: mints.clone(), pubkey: key.clone() };
    let at = about.info.as_ref().map_or(now, |said| now.max(said.at.saturating_add(1)));
    let event = nutzap_info::write(&link.parts.identity, &info, at).map_err(unsigned)?;
    (about.info, about.info_key, about.info_mints, about.info_relays) =
        (Some(EventVersion::of(&event)), key, mints, relays);
    (about.info_bare, about.turned_off) = (false, !on);
    core.store.set_nostr_state(ROW, about.clone()).await?;
    Ok(core.store.queue(outgoing(&event, class::ABOUT, now)).await?)
}

/// Returns `known` with `listed` added, and without entries in `added` that are no longer listed.
/// Updates `added`.
fn revised(
    known: &[String],
    added: &mut BTreeSet<String>,
    listed: Vec<String>,
    same: impl Fn(&str) -> String,
) -> Vec<String> {
    let wanted: BTreeSet<String> = listed.iter().map(|one| same(one)).collect();
    let stays = |one: &&String| wanted.contains(&same(one)) || !added.contains(&same(one));
    let mut all: Vec<String> = known.iter().filter(stays).cloned().collect();
    let there: BTreeSet<String> = all.iter().map(|one| same(one)).collect();
    added.retain(|one| wanted.contains(one) && there.contains(one));
    for one in listed {
        if !there.contains(&same(&one)) {
            added.insert(same(&one));
            all.push(one);
        }
    }
    all
}

/// Returns `known` plus the entries of `more` that it lacks, compared by `same`.
fn joined(
    known: &[String],
    more: impl Iterator<Item = String>,
    same: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut seen: BTreeMap<String, ()> = known.iter().map(|one| (same(one), ())).collect();
    let mut all = known.to_vec();
    all.extend(more.filter(|one| seen.insert(same(one), ()).is_none()));
    all
}

/// Returns whether the wallet on relays lists a mint that neither this device nor another
/// (`elsewhere`) has ever listed as a test mint: its money may be real.
fn names_unknown_mints(about: &About, setup: &Setup, elsewhere: &BTreeSet<String>) -> bool {
    let known = |text: &str| {
        let mint = plain_mint(text);
        setup.mints().any(|one| one.address.as_str() == mint)
            || about.test_mints.contains(&mint)
            || elsewhere.contains(&mint)
    };
    about.mints.iter().chain(about.info_mints.iter().map(|(mint, _)| mint)).any(|mint| !known(mint))
}

fn plain_mint(text: &str) -> String {
    text.parse::<MintAddress>().map_or_else(|_| text.to_owned(), |mint| mint.to_string())
}
