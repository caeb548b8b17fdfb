//! What other programs do: coins made at a mint with secrets of any form, and events written by
//! hand.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use cdk_common::dhke::{blind_message, construct_proofs};
use cdk_common::nuts::{BlindedMessage, CurrencyUnit, Keys, KeysResponse, MintResponse, Proof};
use cdk_common::secret::Secret as CoinSecret;
use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::nostr::{
    Ack, Event, Identity, Relays, UnsignedEvent, deletion, nutzap, token_event,
};
use nutpurse::testing::ports::{Http, HttpRequest, JSON, Method};
use nutpurse::testing::store::Store;
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{Relay, TestMint};

use super::{KEY, device, spendable, sync};
use crate::world::Agent;

const WAIT: Duration = Duration::from_secs(20);
/// Coins that are made at once.
const AT_ONCE: usize = 500;

/// The key of the devices.
pub(super) fn me() -> Identity {
    Identity::from_nsec(&Secret::new(KEY)).unwrap()
}

fn web(url: &str) -> Arc<Web> {
    Arc::new(
        Web::new(&NetworkSettings { allow: vec![url.replace("ws://", "http://")], proxy: None })
            .unwrap(),
    )
}

/// Puts events on a relay, as whoever signed them would.
pub(super) async fn put(relay: &Relay, events: &[Event]) {
    let relays = Relays::new(web(relay.url()), None, clock::now);
    for event in events {
        assert_eq!(relays.publish(relay.url(), event.json(), event.id(), WAIT).await, Ack::Stored);
    }
}

/// A nutzap of these coins to the devices' key, by whoever this is, now.
pub(super) fn nutzap(who: &Identity, mint: &str, coins: &[Proof], comment: &str) -> Event {
    let me = me().public_key();
    nutzap::write(who, &me, mint, "sat", coins, comment, None, clock::now()).unwrap()
}

/// An event of any kind by this key, now.
pub(super) fn event(who: &Identity, kind: u16, tags: &[&[&str]], content: &str) -> Event {
    let tags = tags.iter().map(|tag| tag.iter().map(|text| (*text).to_owned()).collect()).collect();
    who.sign(UnsignedEvent { kind, created_at: clock::now(), tags, content: content.to_owned() })
        .unwrap()
}

/// A mint that is asked without a wallet.
pub(super) struct Press {
    web: Arc<Web>,
    url: String,
}

impl Press {
    pub(super) fn of(mint: &TestMint) -> Self {
        Self { web: web(&mint.url()), url: mint.url() }
    }

    pub(super) async fn ask(&self, path: &str, body: Option<Value>) -> Value {
        let method = if body.is_some() { Method::Post } else { Method::Get };
        let body = body.map(|body| serde_json::to_vec(&body).unwrap());
        let request = HttpRequest {
            method,
            url: format!("{}{path}", self.url),
            body,
            accept: JSON,
            deadline: WAIT,
        };
        let answer = self.web.send(request).await.unwrap();
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The keys that it signs with, and their id.
    async fn keys(&self) -> (cdk_common::nuts::Id, Keys) {
        let told: KeysResponse = serde_json::from_value(self.ask("/v1/keys", None).await).unwrap();
        let keyset = told
            .keysets
            .into_iter()
            .find(|keyset| keyset.unit == CurrencyUnit::Sat && keyset.active != Some(false))
            .unwrap();
        (keyset.id, keyset.keys)
    }

    /// Coins of these amounts with these secrets, each with the mint's proof.
    pub(super) async fn coins(&self, wanted: &[(u64, String)]) -> Vec<Proof> {
        let (id, keys) = self.keys().await;
        let mut coins = Vec::new();
        for some in wanted.chunks(AT_ONCE) {
            let sum: u64 = some.iter().map(|(amount, _)| amount).sum();
            let quote = self
                .ask("/v1/mint/quote/bolt11", Some(json!({"amount": sum, "unit": "sat"})))
                .await["quote"]
                .clone();
            while self
                .ask(&format!("/v1/mint/quote/bolt11/{}", quote.as_str().unwrap()), None)
                .await["state"]
                != "PAID"
            {
                tokio::task::yield_now().await;
            }
            let (mut outputs, mut factors, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
            for (amount, secret) in some {
                let (blinded, factor) = blind_message(secret.as_bytes(), None).unwrap();
                outputs.push(BlindedMessage::new((*amount).into(), id, blinded));
                factors.push(factor);
                secrets.push(CoinSecret::new(secret.clone()));
            }
            let told = self
                .ask("/v1/mint/bolt11", Some(json!({"quote": quote, "outputs": outputs})))
                .await;
            let told: MintResponse = serde_json::from_value(told).unwrap();
            coins.extend(construct_proofs(told.signatures, factors, secrets, &keys).unwrap());
        }
        coins
    }

    /// So many coins of this amount, for whoever holds them.
    pub(super) async fn bearer(&self, count: usize, amount: u64) -> Vec<Proof> {
        let wanted: Vec<(u64, String)> =
            (0..count).map(|_| (amount, CoinSecret::generate().to_string())).collect();
        self.coins(&wanted).await
    }
}

/// A token event of the devices' key.
pub(super) fn token(who: &Identity, mint: &str, proofs: &[Proof], at: u64) -> Event {
    token_event::write(who, mint, "sat", proofs, &[], at).unwrap()
}

/// The request of another program with the key to delete these.
pub(super) fn delete(ids: &[String]) -> Event {
    deletion::write(&me(), ids, clock::now()).unwrap()
}

/// Ids of the token events that a relay holds for a new device: taken, and neither deleted nor
/// replaced since.
pub(super) fn live(relay: &Relay) -> Vec<String> {
    let taken: Vec<Event> =
        relay.taken().iter().map(|event| Event::read(&event.to_string()).unwrap()).collect();
    let gone: Vec<String> = taken.iter().flat_map(gone_by).collect();
    let tokens = taken.iter().filter(|event| event.kind() == token_event::KIND);
    tokens.map(|event| event.id().to_owned()).filter(|id| !gone.contains(id)).collect()
}

fn gone_by(event: &Event) -> Vec<String> {
    let mut gone = deletion::read(&me(), event);
    gone.extend(token_event::read(&me(), event).map(|token| token.del).unwrap_or_default());
    gone
}

/// The law of relays: a coin that is good in the end and that a relay has shown is shown there at
/// every moment after. How many moments.
pub(super) fn never_hidden(relay: &Relay, mint: &TestMint) -> usize {
    let spent = mint.auditor().spent().unwrap();
    let mut shown: std::collections::BTreeMap<String, Vec<String>> =
        std::collections::BTreeMap::new();
    let (mut gone, mut known) =
        (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    let taken = relay.taken();
    for (moment, event) in taken.iter().enumerate() {
        let event = Event::read(&event.to_string()).unwrap();
        if let Ok(token) = token_event::read(&me(), &event) {
            let ys: Vec<String> = token
                .proofs
                .iter()
                .map(|proof| proof.y().unwrap().to_string())
                .filter(|y| !spent.contains(y))
                .collect();
            known.extend(ys.iter().cloned());
            shown.insert(event.id().to_owned(), ys);
        }
        gone.extend(gone_by(&event));
        let visible: std::collections::BTreeSet<&String> =
            shown.iter().filter(|(id, _)| !gone.contains(*id)).flat_map(|(_, ys)| ys).collect();
        let hidden = known.iter().filter(|y| !visible.contains(y)).count();
        assert_eq!(
            hidden,
            0,
            "after event {moment} (kind {}) of {} the relay hides good coins",
            event.kind(),
            taken.len()
        );
    }
    taken.len()
}

/// Syncs until relays and wallet agree; what it said last. Says how often.
pub(super) async fn agreed(agent: &Agent) -> Value {
    let mut told = Value::Null;
    for time in 1..=12 {
        told = sync(agent).await;
        let waiting =
            told["relays"].as_array().unwrap().iter().any(|relay| relay["unpublished"] != 0);
        if told["state"] == "synced" && !waiting {
            println!("they agree after {time} syncs");
            return told;
        }
    }
    panic!("relays and wallet do not agree: {told}");
}

/// A device that was never there before sees what the mint owes.
pub(super) async fn new_device_sees_all(mint: &TestMint, relays: &[&str]) {
    let fresh = device(mint, relays, KEY);
    let told = sync(&fresh).await;
    assert_eq!(
        spendable(&fresh).await,
        mint.auditor().outstanding().unwrap(),
        "a new device: {told}"
    );
}

/// Stops a wallet whose queue must be empty, once what other devices have said since is with all
/// relays.
pub(super) async fn nothing_waits(agent: Agent) {
    agreed(&agent).await;
    let home = agent.close().await;
    let store = Store::open(home.path().join("wallet.redb"), || 1_800_000_000).await.unwrap();
    let queue = store.outbox().await.unwrap();
    assert_eq!((queue.len(), store.unmirrored().await.unwrap()), (0, 0), "{queue:?}");
}

/// A mint's address as it is compared.
pub(super) fn is_address(text: &str) -> bool {
    nutpurse::testing::model::mint::MintAddress::from_str(text).is_ok()
}
