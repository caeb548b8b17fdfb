//! One wallet on every device: brings what we hold to the relays, and takes in what other devices
//! have put there (NIP-60).
//!
//! Moves no value; `pulled_sats` are this wallet's own, found again.

use crate::model::mint::{MintAddress, MoneyKind};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{AdoptPolicy, InTheWay, Link, Sight, plain_url};
use crate::wallet::deposit::quotes::{claim_quotes, tell_quotes};
use crate::wallet::nutzaps::collect::collect_nutzaps;
use crate::wallet::outbox::counts::{unpublished, unpublished_at};
use crate::wallet::outbox::publish::publish_queue;
use crate::wallet::outbox::queue::queue_changes;
use crate::wallet::people::recommended::ask_recommended;
use crate::wallet::proofs::balances::{spendable_at, unspent_at};
use crate::wallet::sync::OwnRelays;
use crate::wallet::sync::adopt::adopt_all;
use crate::wallet::sync::backups::keep_backups;
use crate::wallet::sync::pull::pull;
use crate::wallet::sync::send_again::{forgets_deletions, refused_by};
use crate::wallet::sync::tell::tell_about;
use crate::wallet::sync::verify::verify;

/// How the wallet on relays stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// Every relay was read to its end, and has all.
    Synced,
    /// Something is not read, or not there yet.
    Partial,
    /// No relay answers.
    Offline,
    /// Our own wallet event is not written: what was read of it may lack keys.
    ReadOnly,
    /// Nostr is off.
    Off,
}

/// How relays and wallet came together.
#[derive(Clone, Debug)]
pub struct SyncReport {
    /// How it stands.
    pub state: SyncState,
    /// The kind of money.
    pub money: MoneyKind,
    /// By relay of the owner.
    pub relays: Vec<RelayStatus>,
    /// Found on relays, put there by other devices of this wallet, in sats.
    pub pulled_sats: u64,
    /// Spent by other devices of this wallet, in sats.
    pub dropped_sats: u64,
    /// The sync goes on: the mint that it waits for, if it is a mint.
    pub goes_on: Option<Option<MintAddress>>,
    /// What the owner can do about what is in the way.
    pub in_the_way: Option<InTheWay>,
}

/// How a relay stands.
#[derive(Clone, Debug)]
pub struct RelayStatus {
    /// The relay.
    pub url: String,
    /// How it was seen last. `None`: it was not read yet.
    pub sight: Option<Sight>,
    /// Events that it has not got.
    pub unpublished: u64,
    /// What its owner should know of it.
    pub trouble: Option<Trouble>,
}

/// What is wrong with a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It refuses events for good.
    Refuses {
        /// How many.
        events: u64,
        /// Its own words, which may be empty.
        untrusted_reason: String,
    },
    /// It forgets deletions.
    ForgetsDeletions,
}

/// The wallet on relays, in short.
#[derive(Clone, Debug)]
pub struct NostrStanding {
    /// The wallet's public key.
    pub npub: String,
    /// How it stands.
    pub state: SyncState,
    /// Events that not enough relays have yet.
    pub unpublished: u64,
}

impl OwnRelays<'_> {
    /// Publishes, reads every relay, asks the mints about what is in doubt, and publishes what
    /// follows from it.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    /// Relays and mints that do not answer are no error: `state` says so.
    ///
    /// # Cancel safety
    /// Safe to drop: it goes on to its end.
    pub async fn sync(self, _caller: &Caller) -> Result<SyncReport, Failure> {
        let core = self.0;
        let Some(link) = &core.nostr else { return sync_report(core, 0, 0).await };
        let owned = core.clone();
        match core
            .run_to_end(core.deadline().left(), async move { sync_once(&owned, true).await })
            .await
        {
            Some(done) => done,
            None => {
                let mut report = sync_report(core, 0, 0).await?;
                if report.state == SyncState::Synced {
                    report.state = SyncState::Partial;
                }
                report.goes_on = Some(link.seen().asking.first().cloned());
                Ok(report)
            }
        }
    }

    /// Reads the relays, asks the mints, and writes nothing there: for a home that is being
    /// restored and has no device of its own yet.
    ///
    /// # Errors
    /// As [`OwnRelays::sync`].
    pub async fn look_at_relays(self) -> Result<(), Failure> {
        let core = self.0;
        let Some(link) = &core.nostr else { return Ok(()) };
        let _one_at_a_time = link.syncing().await;
        core.store.begin_outbox().await?;
        let pulled = pull(core, link).await?;
        verify(core).await?;
        keep_backups(core, link, &pulled.about, false).await
    }

    /// Other devices' coins that can be adopted, in sats, at all listed mints.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    pub async fn shared_sats(self) -> Result<u64, Failure> {
        let core = self.0;
        let (setup, mut sum) = (core.setup().await?, 0_u64);
        for mint in setup.mints() {
            let (all, own) =
                (spendable_at(core, &mint.address).await?, unspent_at(core, &mint.address).await?);
            sum = sum.saturating_add(all.saturating_sub(own));
        }
        Ok(sum)
    }

    /// The same in the background: nobody waits for the answer.
    ///
    /// # Errors
    /// As [`OwnRelays::sync`].
    pub async fn sync_quietly(self) -> Result<(), Failure> {
        let core = self.0;
        if core.nostr.is_some() { sync_once(core, false).await.map(drop) } else { Ok(()) }
    }

    /// Takes in the nutzaps that have come, and nothing else: anybody can send one.
    ///
    /// # Errors
    /// As [`OwnRelays::sync`].
    pub async fn take_nutzaps(self) -> Result<(), Failure> {
        let core = self.0;
        let Some(link) = core.nostr.as_ref().filter(|link| link.parts.nutzaps) else {
            return Ok(());
        };
        let _one_at_a_time = link.syncing().await;
        core.store.begin_outbox().await?;
        collect_nutzaps(core, link).await?;
        queue_changes(core).await?;
        publish_queue(core, false).await.map(drop)
    }

    /// Brings changes to the relays. Returns when to come again, and nothing when relays have it
    /// all.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    pub async fn publish(self) -> Result<Option<std::time::Duration>, Failure> {
        let core = self.0;
        let Some(link) = &core.nostr else { return Ok(None) };
        core.store.begin_outbox().await?;
        queue_changes(core).await?;
        tell_quotes(core, link).await?;
        publish_queue(core, false).await
    }

    /// Nostr is on.
    pub fn has_relays(self) -> bool {
        self.0.nostr.is_some()
    }
}

/// `asked`: by somebody, not by the clock or by a relay.
async fn sync_once(core: &Core, asked: bool) -> Result<SyncReport, Failure> {
    let Some(link) = &core.nostr else { return sync_report(core, 0, 0).await };
    let _one_at_a_time = link.syncing().await;
    // What is said of the wallet replaces what a relay holds: it goes only to relays that have
    // been read since.
    link.seen().about_read.clear();
    core.store.begin_outbox().await?;
    queue_changes(core).await?;
    tell_quotes(core, link).await?;
    publish_queue(core, true).await?;
    let pulled = pull(core, link).await?;
    let verified = verify(core).await?;
    if link.parts.adopt_when == AdoptPolicy::AtOnce
        || (asked && link.parts.adopt_when == AdoptPolicy::OnSync)
    {
        adopt_all(core, link).await?;
    }
    if pulled.reached > 0 {
        keep_backups(core, link, &pulled.about, pulled.whole).await?;
        tell_about(core, link, &pulled).await?;
        ask_recommended(core, link).await?;
    }
    claim_quotes(core, link, &pulled.about).await?;
    if link.parts.nutzaps {
        collect_nutzaps(core, link).await?;
    }
    queue_changes(core).await?;
    tell_quotes(core, link).await?;
    publish_queue(core, true).await?;
    core.changed();
    sync_report(
        core,
        verified.pulled_sats,
        verified.dropped_sats.saturating_add(pulled.dropped_sats),
    )
    .await
}

async fn sync_report(
    core: &Core,
    pulled_sats: u64,
    dropped_sats: u64,
) -> Result<SyncReport, Failure> {
    let mut report = SyncReport {
        state: SyncState::Off,
        money: core.setup().await?.money,
        relays: Vec::new(),
        pulled_sats,
        dropped_sats,
        goes_on: None,
        in_the_way: None,
    };
    let Some(link) = &core.nostr else { return Ok(report) };
    for url in link.parts.urls.iter().map(|url| plain_url(url)) {
        let sight = link.seen().relays.get(&url).copied();
        let unpublished = unpublished_at(core, link, &url).await?;
        let trouble = trouble_with(core, &url).await?;
        report.relays.push(RelayStatus { url, sight, unpublished, trouble });
    }
    report.in_the_way = link.seen().in_the_way();
    report.state = nostr_state(core, link).await?;
    Ok(report)
}

/// What the owner should know of a relay.
async fn trouble_with(core: &Core, url: &str) -> Result<Option<Trouble>, Failure> {
    if let Some((events, untrusted_reason)) = refused_by(core, url).await? {
        return Ok(Some(Trouble::Refuses { events, untrusted_reason }));
    }
    Ok(forgets_deletions(core, url).await?.then_some(Trouble::ForgetsDeletions))
}

/// How the wallet on relays stands.
async fn nostr_state(core: &Core, link: &Link) -> Result<SyncState, Failure> {
    let unpublished = unpublished(core).await?;
    let seen = link.seen().clone();
    let away = !seen.relays.is_empty() && seen.relays.values().all(|sight| *sight == Sight::Away);
    Ok(if away {
        SyncState::Offline
    } else if seen.read_only {
        SyncState::ReadOnly
    } else if seen.whole
        && unpublished == 0
        && seen.relays.values().all(|sight| *sight == Sight::Whole)
    {
        SyncState::Synced
    } else {
        SyncState::Partial
    })
}

/// The wallet on relays, in short. `None`: Nostr is off.
pub(super) async fn nostr_standing(core: &Core) -> Result<Option<NostrStanding>, Failure> {
    let Some(link) = &core.nostr else { return Ok(None) };
    Ok(Some(NostrStanding {
        npub: link.npub(),
        state: nostr_state(core, link).await?,
        unpublished: unpublished(core).await?,
    }))
}
