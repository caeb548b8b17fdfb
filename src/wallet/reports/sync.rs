//! Sync with the wallet's other devices through relays (NIP-60), and its status.
//!
//! Moves no money; `pulled_sats` already belonged to this wallet.

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

/// Status of the wallet on relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// All relays were read completely and lack nothing.
    Synced,
    /// Something was not read, or is not published yet.
    Partial,
    /// No relay answers.
    Offline,
    /// Our wallet event is not written, because keys may be missing from what was read.
    ReadOnly,
    /// Nostr is off.
    Off,
}

/// Result of a sync.
#[derive(Clone, Debug)]
pub struct SyncReport {
    /// Status after the sync.
    pub state: SyncState,
    /// Kind of money.
    pub money: MoneyKind,
    /// Status of each of the owner's relays.
    pub relays: Vec<RelayStatus>,
    /// Sats from other devices that were found on relays.
    pub pulled_sats: u64,
    /// Sats that other devices have spent.
    pub dropped_sats: u64,
    /// Set if the sync continues in the background, with the mint it waits for, if any.
    pub goes_on: Option<Option<MintAddress>>,
    /// Obstacle to publishing that the owner can remove.
    pub in_the_way: Option<InTheWay>,
}

/// Status of one relay.
#[derive(Clone, Debug)]
pub struct RelayStatus {
    /// The relay's URL.
    pub url: String,
    /// Last observation. `None`: not read yet.
    pub sight: Option<Sight>,
    /// Number of events the relay lacks.
    pub unpublished: u64,
    /// Problem that the owner should know about.
    pub trouble: Option<Trouble>,
}

/// Problem with a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The relay rejects events for good.
    Refuses {
        /// Number of rejected events.
        events: u64,
        /// The relay's own reason; may be empty.
        untrusted_reason: String,
    },
    /// The relay keeps losing deletions.
    ForgetsDeletions,
}

/// Short status of the wallet on relays.
#[derive(Clone, Debug)]
pub struct NostrStanding {
    /// The wallet's public key, as npub.
    pub npub: String,
    /// Status of the wallet on relays.
    pub state: SyncState,
    /// Number of events on too few relays.
    pub unpublished: u64,
}

impl OwnRelays<'_> {
    /// Publishes changes, reads all relays, asks the mints about proofs in doubt, and publishes the
    /// result. Relays and mints that do not answer only affect `state`.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    ///
    /// # Cancel safety
    /// Safe to drop: the sync continues.
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

    /// Reads relays and asks mints, publishing nothing: for a restore without a device number yet.
    ///
    /// # Errors
    /// See [`OwnRelays::sync`].
    pub async fn look_at_relays(self) -> Result<(), Failure> {
        let core = self.0;
        let Some(link) = &core.nostr else { return Ok(()) };
        let _one_at_a_time = link.syncing().await;
        core.store.begin_outbox().await?;
        let pulled = pull(core, link).await?;
        verify(core).await?;
        keep_backups(core, link, &pulled.about, false).await
    }

    /// Returns the sats of other devices that can be adopted, at all listed mints.
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

    /// Syncs in the background, where no caller waits for the result.
    ///
    /// # Errors
    /// See [`OwnRelays::sync`].
    pub async fn sync_quietly(self) -> Result<(), Failure> {
        let core = self.0;
        if core.nostr.is_some() { sync_once(core, false).await.map(drop) } else { Ok(()) }
    }

    /// Redeems incoming nutzaps and nothing else, because anyone can trigger it.
    ///
    /// # Errors
    /// See [`OwnRelays::sync`].
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

    /// Publishes local changes. Returns the time until the next attempt; `None`: nothing is queued.
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

    /// Returns whether Nostr is on.
    pub fn has_relays(self) -> bool {
        self.0.nostr.is_some()
    }
}

/// Runs one sync. `asked`: a caller requested it, not a timer or a relay.
async fn sync_once(core: &Core, asked: bool) -> Result<SyncReport, Failure> {
    let Some(link) = &core.nostr else { return sync_report(core, 0, 0).await };
    let _one_at_a_time = link.syncing().await;
    // Events about the wallet replace a relay's: only relays read in this sync get them.
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

/// Returns the problem with a relay that the owner should know about.
async fn trouble_with(core: &Core, url: &str) -> Result<Option<Trouble>, Failure> {
    if let Some((events, untrusted_reason)) = refused_by(core, url).await? {
        return Ok(Some(Trouble::Refuses { events, untrusted_reason }));
    }
    Ok(forgets_deletions(core, url).await?.then_some(Trouble::ForgetsDeletions))
}

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

/// Returns the short status. `None`: Nostr is off.
pub(super) async fn nostr_standing(core: &Core) -> Result<Option<NostrStanding>, Failure> {
    let Some(link) = &core.nostr else { return Ok(None) };
    Ok(Some(NostrStanding {
        npub: link.npub(),
        state: nostr_state(core, link).await?,
        unpublished: unpublished(core).await?,
    }))
}
