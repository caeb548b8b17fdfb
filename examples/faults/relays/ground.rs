//! What the rows about relays stand on: a scene with relays that can misbehave, wallets of two
//! people on them, and ways to see what relays hold.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::nostr::{
    Ack, Event, Identity, Relays, UnsignedEvent, deletion, token_event,
};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::{Answer, Client, Limits, Outcome, Settings, WIDE, holds};
use testbed::must;
use testbed::{LnurlServer, Relay, Terms};
use tokio::time::{Instant, sleep};

use crate::scene::Scene;
use crate::trial::Run;
use crate::wallet::Wallet;

/// Throw-away Nostr keys.
pub(crate) const US: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const THEM: &str = "2222222222222222222222222222222222222222222222222222222222222222";

/// How long the harness waits for a relay, and for what must happen at one.
const SOON: Duration = Duration::from_secs(20);

/// A scene with relays.
pub(crate) struct Ground {
    pub(crate) scene: Scene,
    pub(crate) relays: Vec<Relay>,
    /// The key of our wallets.
    pub(crate) us: Identity,
    post: Relays,
}

/// Somebody with a Lightning address whose server makes receipts.
pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) server: LnurlServer,
}

impl Ground {
    pub(crate) async fn new(run: &Run, relays: usize) -> Outcome<Self> {
        let scene = Scene::set(run).await?;
        let mut started = Vec::new();
        for _ in 0..relays {
            started.push(Relay::start().await?);
        }
        let allow = started.iter().map(|relay| relay.url().replace("ws://", "http://")).collect();
        let web = Web::new(&NetworkSettings { allow, proxy: None })
            .map_err(|error| format!("{error:?}"))?;
        let us = Identity::from_nsec(&Secret::new(US))?;
        Ok(Self { scene, relays: started, us, post: Relays::new(Arc::new(web), None, clock::now) })
    }

    /// The first relay.
    pub(crate) fn relay(&self) -> Outcome<&Relay> {
        Ok(self.relays.first().ok_or("no relay")?)
    }

    /// A wallet of this key on all relays. The law counts it.
    pub(crate) fn wallet(&self, key: &str, also: &[String]) -> Outcome<Arc<Wallet>> {
        self.wallet_within(key, also, WIDE, "")
    }

    /// The same with limits; `more` is appended to its settings.
    pub(crate) fn wallet_within(
        &self,
        key: &str,
        also: &[String],
        limits: Limits,
        more: &str,
    ) -> Outcome<Arc<Wallet>> {
        let wallet = self.scene.wallet_at(&[self.scene.proxy.url()], limits)?;
        self.settle_in(&wallet, also, limits, more)?;
        wallet.take_over(key);
        Ok(wallet)
    }

    /// Puts a wallet on all relays.
    pub(crate) fn settle_in(
        &self,
        wallet: &Wallet,
        also: &[String],
        limits: Limits,
        more: &str,
    ) -> Outcome {
        let settings = Settings::at([self.scene.proxy.url()]).limits(limits).allow(also);
        let relays = self.relays.iter().map(Relay::url);
        wallet.home.configure(&settings.relays(relays).more(more))
    }

    /// Ours with so many sats, and relays that know it.
    pub(crate) async fn ours(&self, sats: u64) -> Outcome<Arc<Wallet>> {
        let wallet = self.wallet(US, &[])?;
        wallet.fund(sats).await?;
        wallet.sync().await?;
        Ok(wallet)
    }

    /// One more device of our key. Its coins are ours: the law does not count it.
    pub(crate) fn device(&self) -> Outcome<Arc<Wallet>> {
        let device = self.wallet(US, &[])?;
        self.scene.forget(&device);
        Ok(device)
    }

    /// What a device that knows nothing but the key finds, after two syncs.
    pub(crate) async fn newcomer(&self) -> Outcome<u64> {
        let device = self.device()?;
        device.sync().await?;
        device.sync().await?;
        let held = device.holds().await?;
        must!(held.all() == held.spendable, "a new device: {held:?}");
        self.scene.nothing_told_by(&device)?;
        device.close().await?;
        Ok(held.spendable)
    }

    /// The sats of all coins that relays show as ours and that nothing there says are gone; each
    /// coin once.
    pub(crate) fn copied(&self) -> Outcome<u64> {
        let (mut gone, mut shown) = (BTreeSet::new(), Vec::new());
        for event in self.taken(&[deletion::KIND, token_event::KIND])? {
            gone.extend(deletion::read(&self.us, &event));
            if let Ok(token) = token_event::read(&self.us, &event) {
                gone.extend(token.del);
                shown.push((event.id().to_owned(), token.proofs));
            }
        }
        let mut seen = BTreeSet::new();
        let live =
            shown.into_iter().filter(|(id, _)| !gone.contains(id)).flat_map(|(_, proofs)| proofs);
        Ok(live
            .filter(|proof| seen.insert(proof.secret.to_string()))
            .map(|proof| u64::from(proof.amount))
            .sum())
    }

    /// All events of these kinds by our key that any relay has ever kept, each once.
    pub(crate) fn taken(&self, kinds: &[u16]) -> Outcome<Vec<Event>> {
        let mut found: Vec<Event> = Vec::new();
        for event in self.relays.iter().flat_map(Relay::taken) {
            let is_asked_for = kinds.iter().any(|kind| at(&event, "/kind") == *kind);
            if is_asked_for && let Ok(event) = Event::read(&event.to_string()) {
                let is_new = found.iter().all(|one| one.id() != event.id());
                if is_new && event.author() == self.us.public_key() {
                    found.push(event);
                }
            }
        }
        Ok(found)
    }

    /// Wallet, relays, a new device and the mint agree on what is ours, and nothing waits to be
    /// told. The wallet is the only one that the law counts, or the others hold `others` sats.
    pub(crate) async fn agree(&self, wallet: &Wallet, others: u64) -> Outcome {
        let told = wallet.told_all().await?;
        self.scene.settled().await?;
        let (held, owed) = (wallet.holds().await?, self.scene.owed()?.saturating_sub(others));
        must!(held.spendable == owed, "the wallet holds {held:?} of {owed}: {told}");
        let copied = self.copied()?;
        must!(copied == owed, "relays show {copied} of {owed}: {told}");
        let found = self.newcomer().await?;
        holds(found == owed, format!("a new device finds {found} of {owed}"))
    }

    /// Two devices of our key and the mint agree after two syncs of each, once nothing is open. The
    /// law counts the first, and nobody else.
    pub(crate) async fn converge(&self, one: &Wallet, other: &Wallet) -> Outcome {
        for wallet in [one, other] {
            wallet.rests().await?;
        }
        for wallet in [one, other, one, other] {
            wallet.sync().await?;
        }
        let (left, right, owed) = (one.holds().await?, other.holds().await?, self.scene.owed()?);
        must!(
            left.spendable == owed && right.spendable == owed,
            "one sees {left:?}, the other {right:?}, the mint owes {owed}"
        );
        self.scene.balanced().await?;
        self.scene.nothing_told()?;
        self.scene.nothing_told_by(other)
    }

    /// Puts an event on a relay, as anybody may.
    pub(crate) async fn post(&self, relay: &Relay, event: &Event) -> Outcome {
        match self.post.publish(relay.url(), event.json(), event.id(), SOON).await {
            Ack::Stored => Ok(()),
            other => Err(format!("a relay did not take an event: {other:?}").into()),
        }
    }

    /// Pays a new payee. The payment's hash.
    pub(crate) async fn pays(&self, wallet: &Wallet, sats: u64) -> Outcome<String> {
        let (invoice, hash) = self.scene.invoice(sats)?;
        let paid = wallet.ok("pay", json!({"to": invoice})).await?;
        must!(paid.text("state") == "settled", "not paid: {paid}");
        Ok(hash)
    }

    /// Somebody whose profile is on the first relay.
    pub(crate) async fn person(&self) -> Outcome<Person> {
        let server = LnurlServer::start(&self.scene.lightning).await?;
        server.set(Terms { zaps: true, ..Terms::default() });
        let person = Person { identity: Identity::random()?, server };
        let profile = person.profile(&person.server, clock::now())?;
        self.post(self.relay()?, &profile).await?;
        Ok(person)
    }
}

impl Person {
    /// What they say of themselves: this server takes their sats.
    pub(crate) fn profile(&self, server: &LnurlServer, created_at: u64) -> Outcome<Event> {
        let content = json!({"name": "somebody", "lud16": server.address("somebody")}).to_string();
        Ok(self.identity.sign(UnsignedEvent { kind: 0, created_at, tags: Vec::new(), content })?)
    }
}

impl Wallet {
    /// Brings it and the relays together.
    pub(crate) async fn sync(&self) -> Outcome<Answer> {
        self.ok("sync", json!({})).await
    }

    /// The same until relays have all that they take.
    pub(crate) async fn told_all(&self) -> Outcome<Answer> {
        let since = Instant::now();
        loop {
            self.sync().await?;
            let told = self.sync().await?;
            if told.text("state") == "synced" {
                return Ok(told);
            }
            must!(since.elapsed() < 4 * SOON, "relays are not told all: {told}");
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Waits until nothing of it is open.
    pub(crate) async fn rests(&self) -> Outcome {
        let since = Instant::now();
        while self.holds().await?.pending > 0 || self.open().await? > 0 {
            must!(since.elapsed() < 6 * SOON, "something stays open");
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// How many payments are open.
    async fn open(&self) -> Outcome<usize> {
        let history = self.ok("list_history", json!({"since": "all", "limit": 20})).await?;
        let entries = at(&history.value, "/entries").as_array().cloned().unwrap_or_default();
        Ok(entries.iter().filter(|entry| at(entry, "/state") == "pending").count())
    }

    /// Its Nostr name.
    pub(crate) async fn npub(&self) -> Outcome<String> {
        let balance = self.ok("get_balance", json!({})).await?;
        Ok(balance
            .value
            .pointer("/nostr/npub")
            .and_then(Value::as_str)
            .ok_or("no Nostr name")?
            .to_owned())
    }

    /// Events that relays are still to be told, by its own word.
    pub(crate) async fn unpublished(&self) -> Outcome<u64> {
        let balance = self.ok("get_balance", json!({})).await?;
        Ok(balance.value.pointer("/nostr/unpublished").and_then(Value::as_u64).ok_or("no count")?)
    }
}

/// What stands at this place; null where nothing does.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    static NOTHING: Value = Value::Null;
    value.pointer(path).unwrap_or(&NOTHING)
}

/// Waits until this is so at a relay.
pub(crate) async fn comes(what: &str, is_so: impl Fn() -> bool + Send) -> Outcome {
    let since = Instant::now();
    while !is_so() {
        must!(since.elapsed() < SOON, "not within {SOON:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
