//! One wallet on every device: brings what we hold to the relays, and takes in what other devices
//! have put there (NIP-60).
//!
//! Moves no value; `pulled_sats` are this wallet's own, found again.

use super::Wallet;
use super::error::Error;
use super::nostr::{Claims, Link, Sight, plain_url};
use super::request::{Caller, Sync};
use super::view::{NostrView, RelayView, SyncView};

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
    pub async fn sync(&self, _caller: &Caller, _request: Sync) -> Result<SyncView, Error> {
        if self.nostr.is_none() {
            return self.sync_view(0, 0).await;
        }
        let wallet = self.clone();
        match self
            .run_to_end(self.deadline().left(), async move { wallet.sync_once(true).await })
            .await
        {
            Some(done) => done,
            None => {
                let mut view = self.sync_view(0, 0).await?;
                if view.state == "synced" {
                    view.state = "partial";
                }
                let asking =
                    self.nostr.as_ref().and_then(|link| link.seen().asking.first().cloned());
                let slow = asking.map_or("The relays are slow".to_owned(), |mint| {
                    format!("The mint {mint} is slow to answer")
                });
                view.next_step = Some(format!(
                    "{slow}; it goes on. Call sync again in a minute to see how it ended."
                ));
                Ok(view)
            }
        }
    }

    /// `asked`: by somebody, not by the clock or by a relay.
    async fn sync_once(&self, asked: bool) -> Result<SyncView, Error> {
        let Some(link) = &self.nostr else { return self.sync_view(0, 0).await };
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
        self.sync_view(
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
    pub async fn look_at_relays(&self) -> Result<(), Error> {
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
    pub async fn shared_sats(&self) -> Result<u64, Error> {
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
    pub async fn sync_quietly(&self) -> Result<(), Error> {
        if self.nostr.is_some() { self.sync_once(false).await.map(drop) } else { Ok(()) }
    }

    /// Takes in the nutzaps that have come, and nothing else: anybody can send one.
    ///
    /// # Errors
    /// As [`Wallet::sync`].
    pub async fn take_nutzaps(&self) -> Result<(), Error> {
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
    pub async fn publish(&self) -> Result<Option<std::time::Duration>, Error> {
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

    async fn sync_view(&self, pulled_sats: u64, dropped_sats: u64) -> Result<SyncView, Error> {
        let money = self.setup().await?.money.into();
        let Some(link) = &self.nostr else {
            return Ok(SyncView {
                state: "off",
                money,
                relays: Vec::new(),
                pulled_sats,
                dropped_sats,
                next_step: None,
            });
        };
        let mut relays = Vec::new();
        for url in link.parts.urls.iter().map(|url| plain_url(url)) {
            let sight = link.seen().relays.get(&url).copied();
            let unpublished = self.unpublished_at(link, &url).await?;
            let (note, untrusted_reason) = self.trouble_with(&url).await?;
            relays.push(RelayView {
                url,
                state: sight.map_or("unknown", Sight::word),
                unpublished,
                note,
                untrusted_reason,
            });
        }
        let next_step = link.seen().next_step();
        Ok(SyncView {
            state: self.nostr_state(link).await?,
            money,
            relays,
            pulled_sats,
            dropped_sats,
            next_step,
        })
    }

    /// What the owner should know of a relay, and the relay's own words to it.
    async fn trouble_with(&self, url: &str) -> Result<(Option<String>, Option<String>), Error> {
        if let Some((events, reason)) = self.refused_by(url).await? {
            let note = format!(
                "It refuses {events} of this wallet's events for good; other relays have them."
            );
            return Ok((Some(note), Some(reason).filter(|reason| !reason.is_empty())));
        }
        let forgets = self.forgets_deletions(url).await?;
        let note = "It forgets deletions: old events of this wallet stay visible there, and cost other devices a question to the mint.";
        Ok((forgets.then(|| note.to_owned()), None))
    }

    /// How the wallet on relays stands: synced, partial, offline, `read_only`.
    async fn nostr_state(&self, link: &Link) -> Result<&'static str, Error> {
        let unpublished = self.unpublished().await?;
        let seen = link.seen().clone();
        let away =
            !seen.relays.is_empty() && seen.relays.values().all(|sight| *sight == Sight::Away);
        Ok(if away {
            "offline"
        } else if seen.read_only {
            "read_only"
        } else if seen.whole
            && unpublished == 0
            && seen.relays.values().all(|sight| *sight == Sight::Whole)
        {
            "synced"
        } else {
            "partial"
        })
    }

    /// For `get_balance`. `None`: Nostr is off.
    pub(super) async fn nostr_view(&self) -> Result<Option<NostrView>, Error> {
        let Some(link) = &self.nostr else { return Ok(None) };
        Ok(Some(NostrView {
            npub: link.npub(),
            state: self.nostr_state(link).await?,
            unpublished: self.unpublished().await?,
        }))
    }
}
