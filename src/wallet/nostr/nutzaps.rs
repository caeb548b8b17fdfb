//! Nutzaps that come in (NIP-61): found on every relay where they may arrive, checked, and swapped for our own coins at once.
//!
//! All that can be checked without asking anybody is checked first; only then is a mint asked, and only one that the owner lists and that
//! our own list names. Each event is looked at once, for ever. Whoever sent it gets no answer.

use std::collections::BTreeSet;

use cdk_common::nuts::State;
use serde_json::json;

use super::super::code::Code;
use super::super::error::Error;
use super::super::rules::Setup;
use super::super::{Wallet, coins};
use super::about::About;
use super::{Link, MOST_RELAYS, QUESTION, plain_url};
use crate::mint::Mint;
use crate::mint::token::digest_of;
use crate::mint::unlock::NotUnlocked;
use crate::model::id::ReceiveId;
use crate::model::mint::MintAddress;
use crate::model::receive::{NutzapFrom, Receive, ReceiveState};
use crate::model::secret::Secret;
use crate::model::text;
use crate::nostr::nutzap::{self, Nutzap};
use crate::nostr::{Event, relay_list};
use crate::store::{Change, NutzapRow, NutzapState};

/// How long a nutzap waits for its mint, in seconds.
const WAITED_SECONDS: u64 = 60 * 86_400;

/// In whose name nutzaps are taken in.
pub(super) const AGENT: &str = "nostr";

/// It is locked to a key that is not among ours.
const OTHER_KEY: Refusal = "not_locked_to_us";

/// What a nutzap is not taken for, for good.
type Refusal = &'static str;

impl Wallet {
    /// Looks for nutzaps on all relays where they may arrive, and takes in what is ours.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`. Relays and mints that do not answer are no error: it is done again.
    ///
    /// # Cancel safety
    /// Safe to drop: each is recorded before its mint is asked.
    pub(in super::super) async fn collect_nutzaps(&self, link: &Link) -> Result<(), Error> {
        let about = self.about().await?;
        link.seen().asked_keysets.clear();
        let me = link.parts.identity.public_key();
        let known = self.store.known_nutzaps().await?;
        let filter = json!({"kinds": [nutzap::KIND], "#p": [me]});
        let urls = arrivals(link, &about);
        let shown = futures::future::join_all(
            urls.iter()
                .map(|url| async { (url.clone(), link.parts.relays.all(url, &filter, |id| known.contains(id), QUESTION).await.events) }),
        )
        .await;
        for (url, events) in shown {
            for event in events {
                self.take_nutzap(link, &about, &event, &url).await?;
            }
        }
        for row in self.store.open_nutzaps().await?.into_iter().filter(|row| row.state == NutzapState::Waiting) {
            if let Ok(event) = Event::read(&row.json) {
                self.redeem(link, &about, &event, &row.relay).await?;
            }
        }
        Ok(())
    }

    /// One event that a relay showed, the first time.
    pub(in super::super) async fn take_nutzap(&self, link: &Link, about: &About, event: &Event, url: &str) -> Result<(), Error> {
        let _one_at_a_time = self.gates.pass(event.id()).await;
        if self.store.nutzap(event.id()).await?.is_none() {
            self.redeem(link, about, event, url).await?;
        }
        Ok(())
    }

    async fn redeem(&self, link: &Link, about: &About, event: &Event, url: &str) -> Result<(), Error> {
        let setup = self.setup().await?;
        let known = self.store.nutzap(event.id()).await?;
        let first = known.as_ref().map_or((self.clock)(), |known| known.seen_at);
        let too_old = first.saturating_add(WAITED_SECONDS) < (self.clock)();
        let row = |state: NutzapState, json: &str| {
            let (id, relay) = (event.id().to_owned(), url.to_owned());
            Change::Nutzap(Box::new(NutzapRow { id, json: json.to_owned(), relay, state, seen_at: first }))
        };
        let (nutzap, keys) = match ours(link, about, event) {
            Ok(found) => found,
            // Its key may stand in what was not read yet: it is looked at again.
            Err(OTHER_KEY) if !link.seen().whole => return Ok(()),
            Err(why) => return Ok(self.store.commit(vec![row(NutzapState::Refused(why.to_owned()), "")]).await?),
        };
        let Some(mint) = usable(&setup, about, &nutzap) else {
            // Anybody can make one; only what is of a mint that we have named is kept until the owner lists it again.
            let waits = !too_old && nutzap.mint.parse().is_ok_and(|mint| about.nutzap_mints().contains(&mint));
            let state = if waits { NutzapState::Waiting } else { NutzapState::Refused("mint_not_trusted".to_owned()) };
            if known.is_some_and(|known| known.state == state) {
                return Ok(());
            }
            return Ok(self.store.commit(vec![row(state, if waits { event.json() } else { "" })]).await?);
        };
        if too_old {
            return Ok(self.store.commit(vec![row(NutzapState::Refused("mint_unreachable".to_owned()), "")]).await?);
        }
        let taken = match self.mints.at(&mint) {
            Ok(mint) => self.take_coins(&mint, &setup, event, &nutzap, &keys).await,
            Err(error) => Err(error.into()),
        };
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) => {
                tracing::debug!(code = error.code.as_str(), "a nutzap waits for its mint");
                if known.is_some_and(|known| known.state == NutzapState::Waiting) {
                    return Ok(());
                }
                return Ok(self.store.commit(vec![row(NutzapState::Waiting, event.json())]).await?);
            }
        };
        // The event is kept until it is known that its coins are in.
        let change = match taken {
            Ok(id) => row(NutzapState::Taken(id), event.json()),
            Err(why) => row(NutzapState::Refused(why.to_owned()), ""),
        };
        self.store.commit(vec![change]).await?;
        self.changed();
        Ok(())
    }

    /// The one try to take its coins in. `Err` of the inner: not for us, for good; of the outer: not now.
    async fn take_coins(
        &self,
        mint: &Mint,
        setup: &Setup,
        event: &Event,
        nutzap: &Nutzap,
        keys: &[Secret],
    ) -> Result<Result<ReceiveId, Refusal>, Error> {
        let secrets: Vec<_> = nutzap.proofs.iter().map(|proof| &proof.secret).collect();
        let digest = digest_of(&secrets);
        let earlier = self.store.receive_by_digest(&digest).await?;
        if let Some(earlier) = &earlier {
            let this = earlier.nutzap.as_ref().is_some_and(|from| from.event == event.id());
            match (this, &earlier.state) {
                // The same coins in another event.
                (false, _) => return Ok(Err("taken_before")),
                // Before a crash; what was refused then is tried again.
                (true, ReceiveState::Open | ReceiveState::GivenUp { .. } | ReceiveState::Received { .. }) => {
                    return Ok(Ok(earlier.id.clone()));
                }
                (true, ReceiveState::Refused { .. }) => {}
            }
        }
        let mut unlocked = mint.unlock(nutzap.proofs.clone(), keys).await;
        if matches!(unlocked, Err(NotUnlocked::Keyset)) && self.learn_keysets(mint).await? {
            unlocked = mint.unlock(nutzap.proofs.clone(), keys).await;
        }
        let signed = match unlocked {
            Ok(signed) => signed,
            Err(NotUnlocked::Mint(error)) => return Err(error.into()),
            Err(NotUnlocked::Keyset) => return Ok(Err("other_keyset")),
            Err(NotUnlocked::Proof) => return Ok(Err("not_proven")),
            Err(NotUnlocked::Key) => return Ok(Err("other_key")),
        };
        let ys = signed.iter().filter_map(|proof| proof.y().ok()).collect();
        let states = mint.states(ys).await?;
        if states.contains(&State::Spent) {
            return Ok(Err("token_spent"));
        }
        if states.iter().any(|state| *state != State::Unspent) {
            // Another device of ours may be at it, and may fail.
            return Err(Error::new(Code::MintRefused, "The nutzap's coins are in use at their mint."));
        }
        let sats = coins::sum_sats(&signed);
        if mint.input_fee(&signed).await? >= sats {
            return Ok(Err("not_worth_its_fee"));
        }
        let receive = Receive {
            id: earlier.map_or_else(ReceiveId::random, |earlier| earlier.id),
            agent: AGENT.to_owned(),
            token_digest: digest,
            mint: mint.address().clone(),
            money: setup.money,
            amount_sats: sats,
            untrusted_memo: Some(text::clean(&nutzap.comment)).filter(|words| !words.is_empty()),
            nutzap: Some(NutzapFrom { event: event.id().to_owned(), sender: nutzap.sender.clone() }),
            created_at: (self.clock)(),
            state: ReceiveState::Open,
        };
        self.store.commit(vec![Change::Receive(receive.clone())]).await?;
        let id = receive.id.clone();
        let turn = mint.turn().await;
        match self.swap_coins_in(&receive, signed, mint, &turn).await {
            Ok((swap, outcome)) => {
                // What came of it is in the receive's own record.
                let _told = self.end_receive(receive, mint, &swap, outcome, &turn).await;
            }
            Err(error) => drop(self.refuse(receive, Vec::new(), error).await),
        }
        Ok(Ok(id))
    }
}

impl Wallet {
    /// A mint may have keysets that we have not heard of. It is asked once a round, however many strangers name what it does not have.
    async fn learn_keysets(&self, mint: &Mint) -> Result<bool, Error> {
        let Some(link) = &self.nostr else { return Ok(false) };
        if link.seen().asked_keysets.contains(mint.address()) {
            return Ok(false);
        }
        mint.learn_keysets().await?;
        Ok(link.seen().asked_keysets.insert(mint.address().clone()))
    }
}

/// Our own relays, and those that our list names.
pub(super) fn arrivals(link: &Link, about: &About) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    let listed = relay_list::usable(about.nutzap_relays());
    for url in link.parts.urls.iter().chain(&listed).map(|url| plain_url(url)) {
        if !urls.contains(&url) && urls.len() < MOST_RELAYS {
            urls.push(url);
        }
    }
    urls
}

/// What can be said of it without asking anybody: whether it is a nutzap for us that only we can take. With the key for each coin.
fn ours(link: &Link, about: &About, event: &Event) -> Result<(Nutzap, Vec<Secret>), Refusal> {
    let identity = &link.parts.identity;
    let nutzap = nutzap::read(event, &identity.public_key()).map_err(|_| "not_a_nutzap")?;
    if nutzap.unit != "sat" || nutzap.unreadable_proofs > 0 {
        return Err("not_in_sats");
    }
    let mut keys: Vec<(String, Secret)> = about.keys().iter().map(|key| (key.public_x().to_owned(), key.secret().clone())).collect();
    // The key that we publish, though our own event may not have been read; and some programs lock to the Nostr key itself.
    for secret in [link.parts.nutzap_key.clone(), identity.secret_hex()] {
        if let Ok(own) = crate::nostr::p2pk::NutzapKey::from_secret(&secret) {
            keys.push((own.public_x().to_owned(), own.secret().clone()));
        }
    }
    let names: Vec<String> = keys.iter().map(|(public, _)| public.clone()).collect();
    let mut seen = BTreeSet::new();
    let mut of_coins = Vec::new();
    for proof in &nutzap.proofs {
        let place = nutzap::locked_to(proof, &names).map_err(|_| OTHER_KEY)?;
        if !seen.insert(proof.secret.to_string()) {
            return Err("coin_twice");
        }
        of_coins.push(keys.get(place).map(|(_, secret)| secret.clone()).ok_or(OTHER_KEY)?);
    }
    Ok((nutzap, of_coins))
}

/// Its mint, if the owner lists it and our own list names it.
fn usable(setup: &Setup, about: &About, nutzap: &Nutzap) -> Option<MintAddress> {
    let mint: MintAddress = nutzap.mint.parse().ok()?;
    let named = about.nutzap_mints().contains(&mint);
    setup.mint(&mint).filter(|_| named).map(|_| mint)
}
