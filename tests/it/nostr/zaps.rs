//! Zaps over Lightning: a payee's server with receipts, honest and not, and events that share their
//! zaps.

use std::time::Duration;

use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::nostr::{Ack, Event, Identity, Relays, UnsignedEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{
    Answer, InvoiceLie, Lightning, LnurlServer, Moment, Proxy, ReceiptLie, Relay, Rule, Terms,
    TestMint,
};

use crate::world::{Agent, Home, Settings, conserved, fund, has, holdings, mint, sats};

const OURS: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// A wallet with money, a relay, and a person with a Lightning address whose server makes receipts.
struct Scene {
    mint: TestMint,
    relay: Relay,
    agent: Agent,
}

/// Somebody on Nostr.
struct Person {
    identity: Identity,
    server: LnurlServer,
}

impl Scene {
    async fn new(people: usize) -> (Self, Vec<Person>) {
        let (lightning, mint) = mint().await;
        let (relay, url) = (Relay::start().await.unwrap(), mint.url());
        Self::at(lightning, mint, relay, &url, people).await
    }

    /// A wallet that reaches the mint at `url`.
    async fn at(
        lightning: Lightning,
        mint: TestMint,
        relay: Relay,
        url: &str,
        people: usize,
    ) -> (Self, Vec<Person>) {
        let mut persons = Vec::new();
        for _ in 0..people {
            let server = LnurlServer::start(&lightning).await.unwrap();
            server.set(Terms { zaps: true, ..Terms::default() });
            persons.push(Person { identity: Identity::random().unwrap(), server });
        }
        let allow = persons.iter().map(|person| person.server.url());
        let home = Home::new(&Settings::at([url]).relays([relay.url()]).allow(allow)).unwrap();
        let agent = Agent::with_nsec(home, OURS);
        fund(&agent, 500).await;
        let scene = Self { mint, relay, agent };
        for person in &persons {
            let profile =
                json!({"name": "somebody", "lud16": person.server.address("somebody")}).to_string();
            scene.publish(&person.identity, 0, vec![], &profile).await;
        }
        (scene, persons)
    }

    async fn publish(
        &self,
        who: &Identity,
        kind: u16,
        tags: Vec<Vec<String>>,
        content: &str,
    ) -> Event {
        self.publish_at(clock::now(), who, kind, tags, content).await
    }

    async fn publish_at(
        &self,
        created_at: u64,
        who: &Identity,
        kind: u16,
        tags: Vec<Vec<String>>,
        content: &str,
    ) -> Event {
        let allow = vec![self.relay.url().replace("ws://", "http://")];
        let relays = Relays::new(
            std::sync::Arc::new(Web::new(&NetworkSettings { allow, proxy: None }).unwrap()),
            None,
            clock::now,
        );
        let event = who
            .sign(UnsignedEvent { kind, created_at, tags, content: content.to_owned() })
            .unwrap();
        assert_eq!(
            relays
                .publish(self.relay.url(), event.json(), event.id(), Duration::from_secs(5))
                .await,
            Ack::Stored
        );
        event
    }

    fn melts(&self) -> usize {
        self.mint.auditor().melts().unwrap().len()
    }
}

#[tokio::test]
async fn a_zap_is_paid_and_its_receipt_checked() {
    let (scene, people) = Scene::new(1).await;
    let person = &people[0];
    let zap = json!({"to": person.identity.npub(), "amount_sats": 21, "comment": "well said", "idempotency_key": "once"});
    let zapped = scene.agent.ok("zap", zap.clone()).await;
    assert_eq!(zapped["state"], "settled", "{zapped}");
    has(&zapped, json!({"via": "lightning", "receipt": "found", "proof": "preimage"}));
    assert_eq!(zapped["to_npub"], json!(person.identity.npub()));
    let asked = invoices(&person.server);
    let request: Value = serde_json::from_str(&asked[0].query["nostr"]).unwrap();
    has(&request, json!({"kind": 9734, "content": "well said"}));
    assert!(!asked[0].query.contains_key("comment"), "the words are in the request");
    // Five times the same call: one payment, one receipt.
    for _ in 0..4 {
        assert_eq!(scene.agent.ok("zap", zap.clone()).await["replayed"], true);
    }
    assert_eq!(
        (scene.melts(), invoices(&person.server).len(), person.server.received()),
        (1, 1, 21)
    );
    let shown = scene.agent.payment(&zapped["payment_id"]).await;
    has(&shown, json!({"kind": "zap", "receipt": "found"}));
    let history = scene.agent.ok("list_history", json!({"kind": "zap"})).await;
    assert_eq!(history["entries"][0]["payee"], json!(person.identity.npub()));
    // No zap request is ever published.
    assert!(scene.relay.taken().iter().all(|event| event["kind"] != 9734));
    conserved("after a zap", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn an_anonymous_zap_does_not_name_us_and_pay_signs_nothing() {
    let (scene, people) = Scene::new(1).await;
    let me = scene.agent.ok("get_balance", json!({})).await["nostr"]["npub"].clone();
    let reads = vec![vec!["r".to_owned(), scene.relay.url().to_owned()]];
    scene.publish(&people[0].identity, 10_002, reads, "").await;
    let zap = json!({"to": people[0].identity.public_key(), "amount_sats": 5, "anonymous": true});
    scene.agent.ok("zap", zap).await;
    scene
        .agent
        .ok("pay", json!({"to": people[0].server.address("somebody"), "amount_sats": 6}))
        .await;
    let asked = invoices(&people[0].server);
    let request: Value = serde_json::from_str(&asked[0].query["nostr"]).unwrap();
    assert_ne!(json!(nutpurse::testing::nostr::npub(request["pubkey"].as_str().unwrap())), me);
    assert!(request["tags"].as_array().unwrap().iter().any(|tag| tag[0] == "anon"));
    assert!(!asked[1].query.contains_key("nostr"));
}

#[tokio::test]
async fn a_server_that_lies_is_not_paid_or_is_told_of() {
    let refused = [
        (InvoiceLie::Off(1), "recipient_refuses"),
        (InvoiceLie::Off(-1), "recipient_refuses"),
        (InvoiceLie::Times(1000), "recipient_refuses"),
        (InvoiceLie::Amountless, "recipient_refuses"),
        (InvoiceLie::Expires(5), "invoice_expired"),
    ];
    let (scene, people) = Scene::new(1).await;
    let server = &people[0].server;
    let zap = |number: usize| json!({"to": people[0].identity.npub(), "amount_sats": 20 + number});
    for (number, (lie, code)) in refused.into_iter().enumerate() {
        server.set(Terms { zaps: true, invoice: lie.clone(), ..Terms::default() });
        scene.agent.refused("zap", zap(number), code).await;
    }
    let elsewhere = json!({"callback": "http://127.0.0.1:9/callback"});
    server.set(Terms { zaps: true, first: elsewhere, ..Terms::default() });
    scene.agent.refused("zap", zap(6), "recipient_refuses").await;
    assert_eq!((scene.melts(), holdings(&scene.agent).await.spendable), (0, 500));
    // A hash that does not name the request is told, not refused: some servers do so.
    server.set(Terms { zaps: true, invoice: InvoiceLie::Hash([7; 32]), ..Terms::default() });
    let zapped = scene.agent.ok("zap", zap(7)).await;
    assert!(
        zapped["state"] == "settled"
            && zapped["warning"].as_str().unwrap().contains("does not say"),
        "{zapped}"
    );
}

#[tokio::test]
async fn a_receipt_that_is_not_right_is_no_receipt() {
    let lies =
        [ReceiptLie::Signer, ReceiptLie::Amount, ReceiptLie::Description, ReceiptLie::Missing];
    // Each is waited for as long as a receipt may take: all at once.
    futures::future::join_all(lies.into_iter().map(|lie| async move {
        let (scene, people) = Scene::new(1).await;
        people[0].server.set(Terms { zaps: true, receipt: lie, ..Terms::default() });
        let zapped =
            scene.agent.ok("zap", json!({"to": people[0].identity.npub(), "amount_sats": 5})).await;
        assert_eq!(zapped["state"], "settled");
        assert!(
            zapped["receipt"] == "invalid" || zapped["receipt"] == "timeout",
            "{lie:?}: {zapped}"
        );
        assert!(zapped["next_step"].as_str().unwrap().contains("Do not zap again"));
    }))
    .await;
}

#[tokio::test]
async fn a_shared_zap_pays_each_once_and_a_failed_part_is_completed_by_the_same_call() {
    let (scene, people) = Scene::new(3).await;
    let author = Identity::from_nsec(&Secret::new("4".repeat(64))).unwrap();
    let tags = people.iter().zip(["1", "2", "1"]);
    let tags: Vec<Vec<String>> = tags
        .map(|(person, weight)| {
            vec![
                "zap".to_owned(),
                person.identity.public_key(),
                scene.relay.url().to_owned(),
                weight.to_owned(),
            ]
        })
        .collect();
    let event = scene.publish(&author, 1, tags, "a song of three").await;
    people[1].server.set(Terms {
        zaps: true,
        at_callback: Answer::SaysNo(400, "not now".to_owned()),
        ..Terms::default()
    });
    let note = nutpurse_note(event.id());
    let zap = json!({"to": note, "amount_sats": 40, "idempotency_key": "song"});
    let first = scene.agent.ok("zap", zap.clone()).await;
    assert_eq!(first["state"], "partial", "{first}");
    let states: Vec<&Value> =
        first["legs"].as_array().unwrap().iter().map(|leg| &leg["state"]).collect();
    assert_eq!(states, ["settled", "failed", "settled"], "{first}");
    assert_eq!((sats(&first, "amount_sats"), scene.melts()), (20, 2));
    people[1].server.set(Terms { zaps: true, ..Terms::default() });
    let second = scene.agent.ok("zap", zap.clone()).await;
    assert_eq!(
        (&second["state"], sats(&second, "amount_sats"), scene.melts()),
        (&json!("settled"), 40, 3),
        "{second}"
    );
    let paid: Vec<u64> = people.iter().map(|person| person.server.received()).collect();
    assert_eq!(paid, [10, 20, 10]);
    let third = scene.agent.ok("zap", zap).await;
    assert_eq!((&third["state"], scene.melts()), (&json!("settled"), 3), "{third}");
    let shown = scene.agent.payment(&first["payment_id"]).await;
    assert_eq!(
        (&shown["state"], shown["legs"].as_array().unwrap().len()),
        (&json!("settled"), 3),
        "{shown}"
    );
    conserved("after a shared zap", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn a_part_whose_answer_is_lost_is_not_paid_again_by_the_same_call() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let relay = Relay::start().await.unwrap();
    let (scene, people) = Scene::at(lightning, mint, relay, &proxy.url(), 3).await;
    let author = Identity::from_nsec(&Secret::new("4".repeat(64))).unwrap();
    let tags: Vec<Vec<String>> = people
        .iter()
        .map(|person| {
            vec!["zap".to_owned(), person.identity.public_key(), String::new(), "1".to_owned()]
        })
        .collect();
    let event = scene.publish(&author, 1, tags, "a song of three").await;
    let zap =
        json!({"to": nutpurse_note(event.id()), "amount_sats": 30, "idempotency_key": "lost"});
    let rule = proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::AfterMint).nth(2));
    let first = scene.agent.ok("zap", zap.clone()).await;
    assert_eq!(proxy.fired(rule), 1);
    println!("{first}");
    assert!(first["state"] == "pending" || first["state"] == "settled", "{first}");
    let second = scene.agent.ok("zap", zap.clone()).await;
    assert_eq!(scene.melts(), 3, "{second}");
    for _ in 0..40 {
        let shown = scene.agent.payment(&first["payment_id"]).await;
        if shown["state"] == "settled" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let third = scene.agent.ok("zap", zap).await;
    assert_eq!(
        (&third["state"], scene.melts(), sats(&third, "amount_sats")),
        (&json!("settled"), 3, 30),
        "{third}"
    );
    assert!(people.iter().all(|person| person.server.received() == 10));
}

#[tokio::test]
async fn a_shared_zap_whose_event_names_nobody_any_more_is_not_paid_again_to_its_author() {
    let (scene, people) = Scene::new(3).await;
    let author = &people[2].identity;
    let version = |zaps: &[Person]| {
        let shares = zaps.iter().map(|person| {
            vec!["zap".to_owned(), person.identity.public_key(), String::new(), "1".to_owned()]
        });
        std::iter::once(vec!["d".to_owned(), "song".to_owned()]).chain(shares).collect::<Vec<_>>()
    };
    scene.publish(author, 30_023, version(&people[..2]), "a song of two").await;
    people[1].server.set(Terms {
        zaps: true,
        at_callback: Answer::SaysNo(400, "not now".to_owned()),
        ..Terms::default()
    });
    let zap = json!({"to": naddr("song", &author.public_key(), 30_023), "amount_sats": 40, "idempotency_key": "song"});
    let first = scene.agent.ok("zap", zap.clone()).await;
    assert_eq!((&first["state"], scene.melts()), (&json!("partial"), 1), "{first}");
    // The relay keeps the later one alone.
    scene.publish_at(clock::now() + 1, author, 30_023, version(&[]), "a song of nobody").await;
    scene.agent.refused("zap", zap, "key_conflict").await;
    let paid: Vec<u64> = people.iter().map(|person| person.server.received()).collect();
    assert_eq!((paid, scene.melts()), (vec![20, 0, 0], 1));
}

/// The requests for invoices that a server saw.
fn invoices(server: &LnurlServer) -> Vec<testbed::Asked> {
    server.asked().into_iter().filter(|asked| asked.query.contains_key("amount")).collect()
}

fn nutpurse_note(id: &str) -> String {
    let bytes = hex::decode(id).unwrap();
    bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("note").unwrap(), &bytes).unwrap()
}

/// NIP-19, of an event that later ones replace.
fn naddr(name: &str, author: &str, kind: u32) -> String {
    let key = hex::decode(author).unwrap();
    let fields: [(u8, &[u8]); 3] = [(0, name.as_bytes()), (2, &key), (3, &kind.to_be_bytes())];
    let bytes: Vec<u8> = fields
        .iter()
        .flat_map(|(of, value)| [&[*of, u8::try_from(value.len()).unwrap()], *value].concat())
        .collect();
    bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("naddr").unwrap(), &bytes).unwrap()
}
