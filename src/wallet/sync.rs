//! One wallet on every device: brings what we hold to the relays, and takes in what other devices
//! have put there (NIP-60).
//!
//! Moves no value; `pulled_sats` are this wallet's own, found again.

use super::failure::Failure;
use super::nostr::{Claims, InTheWay, Link, Sight, plain_url};
use super::{Caller, Wallet};
use crate::model::mint::{MintAddress, MoneyKind};

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

impl Wallet {
    /// Publishes, reads every relay, asks the mints about what is in doubt, and publishes what
    /// follows from it.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`, `wallet_damaged`. Relays and mints that do not answer
    /// are no error: `state` says so.
    ///
    /// # Cancel safety
    /// Safe to drop: it goes on to its end.
    pub async fn sync(&self, _caller: &Caller) -> Result<SyncReport, Failure> {
        let Some(link) = &self.nostr else { return self.sync_report(0, 0).await };
        let wallet = self.clone();
        match self
            .run_to_end(self.deadline().left(), async move { wallet.sync_once(true).await })
            .await
        {
            Some(done) => done,
            None => {
                let mut report = self.sync_report(0, 0).await?;
                if report.state == SyncState::Synced {
                    report.state = SyncState::Partial;
                }
                report.goes_on = Some(link.seen().asking.first().cloned());
                Ok(report)
            }
        }
    }

    /// `asked`: by somebody, not by the clock or by a relay.
    async fn sync_once(&self, asked: bool) -> Result<SyncReport, Failure> {
        let Some(link) = &self.nostr else { return self.sync_report(0, 0).await };
        let _one_at_a_time = link.syncing().await;
        // What is said of the wallet replaces what a relay holds: it goes only to relays that have
        // been read since.
        link.seen().about_read.clear();
        self.store.begin_mirror().await?;
        self.mirror().await?;
        self.tell_quotes(link).await?;
        self.flush(true).await?;
        let pulled = self.pull(link).await?;
        let verified = self.verify().await?;
        if link.parts.claims == Claims::AtOnce || (asked && link.parts.claims == Claims::OnSync) {
            self.claim_all(link).await?;
        }
        if pulled.reached > 0 {
            self.keep_backups(link, &pulled.about, pulled.whole).await?;
            self.tell_about(link, &pulled).await?;
            self.ask_recommended(link).await?;
        }
        self.claim_quotes(link, &pulled.about).await?;
        if link.parts.nutzaps {
            self.collect_nutzaps(link).await?;
        }
        self.mirror().await?;
        self.tell_quotes(link).await?;
        self.flush(true).await?;
        self.changed();
        self.sync_report(
            verified.pulled_sats,
            verified.dropped_sats.saturating_add(pulled.dropped_sats),
        )
        .await
    }

    /// Reads the relays, asks the mints, and writes nothing there: for a home that is being
    /// restored and has no device of its own yet.
    ///
    /// # Errors
    /// As [`Wallet::sync`].
    pub async fn look_at_relays(&self) -> Result<(), Failure> {
        let Some(link) = &self.nostr else { return Ok(()) };
        let _one_at_a_time = link.syncing().await;
        self.store.begin_mirror().await?;
        let pulled = self.pull(link).await?;
        self.verify().await?;
        self.keep_backups(link, &pulled.about, false).await
    }

    /// Other devices' coins that can be claimed, in sats, at all listed mints.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`.
    pub async fn shared_sats(&self) -> Result<u64, Failure> {
        let (setup, mut sum) = (self.setup().await?, 0_u64);
        for mint in setup.mints() {
            let (all, own) =
                (self.spendable_at(&mint.address).await?, self.unspent_at(&mint.address).await?);
            sum = sum.saturating_add(all.saturating_sub(own));
        }
        Ok(sum)
    }

    /// The same in the background: nobody waits for the answer.
    ///
    /// # Errors
    /// As [`Wallet::sync`].
    pub async fn sync_quietly(&self) -> Result<(), Failure> {
        if self.nostr.is_some() { self.sync_once(false).await.map(drop) } else { Ok(()) }
    }

    /// Takes in the nutzaps that have come, and nothing else: anybody can send one.
    ///
    /// # Errors
    /// As [`Wallet::sync`].
    pub async fn take_nutzaps(&self) -> Result<(), Failure> {
        let Some(link) = self.nostr.as_ref().filter(|link| link.parts.nutzaps) else {
            return Ok(());
        };
        let _one_at_a_time = link.syncing().await;
        self.store.begin_mirror().await?;
        self.collect_nutzaps(link).await?;
        self.mirror().await?;
        self.flush(false).await.map(drop)
    }

    /// Brings changes to the relays. Returns when to come again, and nothing when relays have it
    /// all.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`.
    pub async fn publish(&self) -> Result<Option<std::time::Duration>, Failure> {
        let Some(link) = &self.nostr else { return Ok(None) };
        self.store.begin_mirror().await?;
        self.mirror().await?;
        self.tell_quotes(link).await?;
        self.flush(false).await
    }

    /// Nostr is on.
    pub fn has_relays(&self) -> bool {
        self.nostr.is_some()
    }

    async fn sync_report(
        &self,
        pulled_sats: u64,
        dropped_sats: u64,
    ) -> Result<SyncReport, Failure> {
        let mut report = SyncReport {
            state: SyncState::Off,
            money: self.setup().await?.money,
            relays: Vec::new(),
            pulled_sats,
            dropped_sats,
            goes_on: None,
            in_the_way: None,
        };
        let Some(link) = &self.nostr else { return Ok(report) };
        for url in link.parts.urls.iter().map(|url| plain_url(url)) {
            let sight = link.seen().relays.get(&url).copied();
            let unpublished = self.unpublished_at(link, &url).await?;
            let trouble = self.trouble_with(&url).await?;
            report.relays.push(RelayStatus { url, sight, unpublished, trouble });
        }
        report.in_the_way = link.seen().in_the_way();
        report.state = self.nostr_state(link).await?;
        Ok(report)
    }

    /// What the owner should know of a relay.
    async fn trouble_with(&self, url: &str) -> Result<Option<Trouble>, Failure> {
        if let Some((events, untrusted_reason)) = self.refused_by(url).await? {
            return Ok(Some(Trouble::Refuses { events, untrusted_reason }));
        }
        Ok(self.forgets_deletions(url).await?.then_some(Trouble::ForgetsDeletions))
    }

    /// How the wallet on relays stands.
    async fn nostr_state(&self, link: &Link) -> Result<SyncState, Failure> {
        let unpublished = self.unpublished().await?;
        let seen = link.seen().clone();
        let away =
            !seen.relays.is_empty() && seen.relays.values().all(|sight| *sight == Sight::Away);
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
    pub(super) async fn nostr_standing(&self) -> Result<Option<NostrStanding>, Failure> {
        let Some(link) = &self.nostr else { return Ok(None) };
        Ok(Some(NostrStanding {
            npub: link.npub(),
            state: self.nostr_state(link).await?,
            unpublished: self.unpublished().await?,
        }))
    }
}
