//! What the wallet says of itself: its mints, relays and nutzap keys (NIP-60, kind 17375, sealed)
//! and where it takes nutzaps (NIP-61, kind 10019, public).
//!
//! What relays show of it is stored before any of them is written to. Written only after every
//! relay of the owner was read to its end, or over what this very wallet wrote, and sent to a relay
//! only once the last sync has read that one; never without a key that was ever in it; never a
//! first time for a Nostr key whose wallet may be elsewhere (`elsewhere`). A play wallet never
//! writes over one that lists mints it does not know as test mints. The public list names what can
//! be paid to us now: what this device has put there, it takes back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::Wallet;
use super::super::error::Error;
use super::super::rules::Setup;
use super::elsewhere::elsewhere;
use super::mirror::{class, outgoing, unsigned};
use super::pull::Pulled;
use super::{Link, next_step, plain_url};
use crate::model::mint::{MintAddress, MoneyKind};
use crate::model::secret::Secret;
use crate::nostr::Event;
use crate::nostr::nutzap_info::{self, NutzapInfo};
use crate::nostr::p2pk::NutzapKey;
use crate::nostr::wallet_event::{self, WalletEvent};

/// The name of the row.
const ROW: &str = "about";

/// What is known of the wallet on relays, over all devices.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct About {
    /// Every nutzap key that was ever seen or made, hex, the current one first. Grows only.
    pub(in super::super) privkeys: Vec<Secret>,
    /// The newest wallet event.
    wallet: Option<Said>,
    /// The newest list of where nutzaps are taken.
    info: Option<Said>,
    /// Keys, mints, relays and other entries of the newest wallet event.
    #[serde(default)]
    newest_keys: Vec<Secret>,
    mints: Vec<String>,
    relays: Vec<String>,
    others: Vec<Vec<String>>,
    /// Mints, relays and key of the newest list.
    info_mints: Vec<(String, Vec<String>)>,
    info_relays: Vec<String>,
    info_key: Option<String>,
    /// Its key cannot be locked to as it stands there.
    info_bare: bool,
    /// Mints and relays that this device has put on the list, as they are compared.
    added_mints: BTreeSet<String>,
    added_relays: BTreeSet<String>,
    /// Mints that this device ever listed as test mints.
    test_mints: BTreeSet<String>,
    /// The owner has turned nutzaps off here since the list was last written.
    turned_off: bool,
    /// This wallet has written it: what it knows is whole.
    written: bool,
    /// No relay shows the newest any more.
    #[serde(skip)]
    wallet_lost: bool,
    #[serde(skip)]
    info_lost: bool,
}

/// An event's place among others of its kind: the later wins, of equal times the lower id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    at: u64,
    id: String,
}

impl Said {
    fn of(event: &Event) -> Self {
        Self { at: event.created_at(), id: event.id().to_owned() }
    }

    fn beats(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| {
            (self.at, std::cmp::Reverse(&self.id)) > (other.at, std::cmp::Reverse(&other.id))
        })
    }
}

impl std::fmt::Debug for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("About").field("keys", &self.privkeys.len()).finish_non_exhaustive()
    }
}

impl About {
    /// Takes in what was read. Keys are kept for ever, whichever event they came from. The ids of
    /// wallets of ours that cannot be read.
    fn learn(&mut self, link: &Link, events: &[Event]) -> BTreeSet<String> {
        let identity = &link.parts.identity;
        let mut unreadable = BTreeSet::new();
        for event in events {
            if event.kind() == nutzap_info::KIND {
                if event.author() == identity.public_key()
                    && Said::of(event).beats(self.info.as_ref())
                    && let Ok(info) = nutzap_info::read(event)
                {
                    (self.info, self.info_key) = (Some(Said::of(event)), info.pubkey);
                    (self.info_mints, self.info_relays) = (info.mints, info.relays);
                    self.info_bare = nutzap_info::names_no_lock(event);
                }
                continue;
            }
            let Ok(wallet) = wallet_event::read(identity, event) else {
                // Ours, and in a form that we do not know: to replace it would lose what it holds.
                if event.kind() == wallet_event::KIND && event.author() == identity.public_key() {
                    unreadable.insert(event.id().to_owned());
                }
                continue;
            };
            let newest =
                event.kind() == wallet_event::KIND && Said::of(event).beats(self.wallet.as_ref());
            if newest {
                self.wallet = Some(Said::of(event));
                (self.mints, self.relays, self.others) =
                    (wallet.mints, wallet.relays, wallet.others);
                self.newest_keys.clone_from(&wallet.privkeys);
            }
            self.keep_keys(wallet.privkeys, newest);
        }
        unreadable
    }

    fn keep_keys(&mut self, keys: Vec<Secret>, first: bool) {
        let known = std::mem::take(&mut self.privkeys);
        let order = if first { [keys, known] } else { [known, keys] };
        for key in order.into_iter().flatten() {
            if !self.privkeys.contains(&key) {
                self.privkeys.push(key);
            }
        }
    }

    /// Every key, ready for use.
    pub(in super::super) fn keys(&self) -> Vec<NutzapKey> {
        self.privkeys.iter().filter_map(|key| NutzapKey::from_secret(key).ok()).collect()
    }

    /// Mints on the public list, in their one written form.
    pub(in super::super) fn nutzap_mints(&self) -> Vec<MintAddress> {
        self.info_mints.iter().filter_map(|(mint, _)| mint.parse().ok()).collect()
    }

    /// The same as they are written there.
    pub(super) fn nutzap_mints_as_written(&self) -> impl Iterator<Item = &str> {
        self.info_mints.iter().map(|(mint, _)| mint.as_str())
    }

    /// Relays that the wallet's own events name beside the owner's.
    pub(in super::super) fn nutzap_relays(&self) -> &[String] {
        &self.info_relays
    }

    /// Relays that other programs' word on this wallet names: where the wallet is.
    pub(super) fn named_relays(&self) -> impl Iterator<Item = &String> {
        self.info_relays.iter().chain(self.relays.iter().filter(|_| !self.written))
    }

    /// Another program has emptied the public list: it takes no nutzaps.
    fn is_off(&self) -> bool {
        self.info.is_some()
            && self.info_mints.is_empty()
            && self.info_key.is_none()
            && !self.turned_off
    }

    /// Relays that may hold this key's wallet and are not the owner's. None once something was said
    /// about the wallet here.
    async fn elsewhere(&self, link: &Link, events: &[Event]) -> Vec<String> {
        let first = self.wallet.is_none() || (link.parts.nutzaps && self.info.is_none());
        if first { elsewhere(link, self.named_relays(), events).await } else { Vec::new() }
    }
}

/// `known` without what this device has `added` and does not list any more, and with what it lists.
/// What it has added of that is noted.
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

/// `known` and what of `more` it lacks, compared by `same`.
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

fn plain_mint(text: &str) -> String {
    text.parse::<MintAddress>().map_or_else(|_| text.to_owned(), |mint| mint.to_string())
}

impl Wallet {
    /// What is known of the wallet on relays.
    pub(in super::super) async fn about(&self) -> Result<About, Error> {
        Ok(self.store.nostr_state(ROW).await?.unwrap_or_default())
    }

    /// Takes in what relays show of the wallet, durably: a key that was read is stored before
    /// anything is written there. The ids of wallets of ours that cannot be read.
    pub(super) async fn learn_about(
        &self,
        link: &Link,
        events: &[Event],
    ) -> Result<BTreeSet<String>, Error> {
        let mut about = self.about().await?;
        let unreadable = about.learn(link, events);
        self.store.set_nostr_state(ROW, about).await?;
        Ok(unreadable)
    }

    /// What the owner can do about what stands in the way of the wallet's word there, by what
    /// relays show now. Writes nothing.
    pub(super) async fn in_the_way(
        &self,
        link: &Link,
        events: &[Event],
    ) -> Result<Option<String>, Error> {
        let mut about = self.about().await?;
        about.learn(link, events);
        about.turned_off |= !link.parts.nutzaps;
        Ok(next_step(&about.elsewhere(link, events).await, about.is_off()))
    }

    /// Writes what relays lack of the wallet, if that is safe.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`.
    pub(in super::super) async fn tell_about(
        &self,
        link: &Link,
        pulled: &Pulled,
    ) -> Result<(), Error> {
        let (setup, events, whole) = (self.setup().await?, &pulled.about, pulled.whole);
        let mut about = self.about().await?;
        let newest =
            [&about.wallet, &about.info].map(|said| said.as_ref().map(|said| said.id.clone()));
        let shown =
            newest.iter().flatten().filter_map(|id| events.iter().find(|event| event.id() == id));
        let shown = shown.map(|event| outgoing(event, class::ABOUT, (self.clock)())).collect();
        self.send_again(link, shown, &pulled.about_at).await?;
        if whole {
            // What no relay shows any more, and is not on its way, is lost: it is written anew.
            let unshown = newest
                .each_ref()
                .map(|id| id.as_ref().filter(|id| !events.iter().any(|event| event.id() == *id)));
            let any = unshown.iter().any(Option::is_some);
            let queue = if any { self.store.queued_in(class::ABOUT).await? } else { Vec::new() };
            [about.wallet_lost, about.info_lost] =
                unshown.map(|id| id.is_some_and(|id| !queue.iter().any(|one| one.event.id == *id)));
        }
        if setup.money == MoneyKind::Play {
            about.test_mints.extend(setup.mints().map(|mint| mint.address.to_string()));
        }
        let known = self.backups().await?.test_mints;
        let foreign = setup.money == MoneyKind::Play && names_unknown_mints(&about, &setup, &known);
        let unreadable = |event: &&Event| {
            pulled.unreadable.contains(event.id()) && Said::of(event).beats(about.wallet.as_ref())
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
            self.write_wallet(link, &setup, &mut about).await?;
            if !off {
                self.write_info(link, &setup, &mut about).await?;
            }
        }
        Ok(self.store.set_nostr_state(ROW, about).await?)
    }

    async fn write_wallet(
        &self,
        link: &Link,
        setup: &Setup,
        about: &mut About,
    ) -> Result<(), Error> {
        let now = (self.clock)();
        let mints =
            joined(&about.mints, setup.mints().map(|mint| mint.address.to_string()), plain_mint);
        let relays =
            joined(&about.relays, link.parts.urls.iter().map(|url| plain_url(url)), plain_url);
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
        (about.wallet, about.written) = (Some(Said::of(&event)), true);
        (about.mints, about.relays, about.newest_keys) =
            (told.mints.clone(), told.relays.clone(), told.privkeys.clone());
        // The row comes first: an event that is queued and not remembered would be written anew
        // with another time.
        self.store.set_nostr_state(ROW, about.clone()).await?;
        self.store.queue(outgoing(&event, class::ABOUT, now)).await?;
        if first || !has_all_keys {
            let backup =
                wallet_event::write_backup(&link.parts.identity, &told, at).map_err(unsigned)?;
            self.store.queue(outgoing(&backup, class::ABOUT, now)).await?;
        }
        Ok(())
    }

    async fn write_info(&self, link: &Link, setup: &Setup, about: &mut About) -> Result<(), Error> {
        let keys = about.keys();
        let Some(current) = keys.first() else { return Ok(()) };
        let ours =
            about.info_key.as_ref().is_none_or(|key| keys.iter().any(|one| one.public_x() == key));
        if about.info.is_some() && !ours {
            // Somebody takes nutzaps with a key that we do not have: to replace it would lose them
            // what is sent to it.
            tracing::warn!(
                "relays name a nutzap key of this Nostr key that the wallet does not have; it is left as it is"
            );
            return Ok(());
        }
        let (now, on) = ((self.clock)(), link.parts.nutzaps);
        let known: Vec<String> = about.info_mints.iter().map(|(mint, _)| mint.clone()).collect();
        let listed = setup.mints().filter(|_| on).map(|mint| mint.address.to_string()).collect();
        let mints = revised(&known, &mut about.added_mints, listed, plain_mint);
        let listed = link.parts.urls.iter().filter(|_| on).map(|url| plain_url(url)).collect();
        let relays = revised(&about.info_relays, &mut about.added_relays, listed, plain_url);
        let as_it_is = mints == known && relays == about.info_relays;
        // Where nutzaps are off, nothing is added: what this device has listed is taken back, and
        // that is all.
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
            (Some(Said::of(&event)), key, mints, relays);
        (about.info_bare, about.turned_off) = (false, !on);
        self.store.set_nostr_state(ROW, about.clone()).await?;
        Ok(self.store.queue(outgoing(&event, class::ABOUT, now)).await?)
    }
}

/// The wallet on relays lists a mint that this one does not know as a test mint, now or earlier, on
/// this device or another (`elsewhere`): its money may be real.
fn names_unknown_mints(about: &About, setup: &Setup, elsewhere: &BTreeSet<String>) -> bool {
    let known = |text: &str| {
        let mint = plain_mint(text);
        setup.mints().any(|one| one.address.as_str() == mint)
            || about.test_mints.contains(&mint)
            || elsewhere.contains(&mint)
    };
    about.mints.iter().chain(about.info_mints.iter().map(|(mint, _)| mint)).any(|mint| !known(mint))
}
