//! The relay client against a real relay that refuses, forgets, lies, floods, is away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::nostr::relays::{Ack, End, ListenerEvent};
use nutpurse::testing::nostr::{Event, Identity, Relays, UnsignedEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::json;
use testbed::{Flood, Relay, Veil};

const WAIT: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_secs(1);

fn web(relay: &Relay) -> Arc<Web> {
    let allow = vec![relay.url().replace("ws://", "http://")];
    Arc::new(Web::new(&NetworkSettings { allow, proxy: None }).unwrap())
}

async fn world(identity: Option<&Identity>) -> (Relay, Relays) {
    let relay = Relay::start().await.unwrap();
    let relays = Relays::new(web(&relay), identity.cloned(), clock::now);
    (relay, relays)
}

fn event(me: &Identity, kind: u16, created_at: u64, content: &str) -> Event {
    me.sign(UnsignedEvent { kind, created_at, tags: vec![], content: content.to_owned() }).unwrap()
}

async fn put(relays: &Relays, relay: &Relay, event: &Event) -> Ack {
    relays.publish(relay.url(), event.json(), event.id(), WAIT).await
}

#[tokio::test]
async fn all_is_read_page_by_page_over_one_connection() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    let mut ids = Vec::new();
    for n in 0..60 {
        let event = event(&me, 7375, 1_000 + n / 4, &n.to_string());
        assert_eq!(put(&relays, &relay, &event).await, Ack::Stored);
        ids.push(event.id().to_owned());
    }
    relay.rule(|rule| rule.show_at_most = Some(7));
    let filter = json!({"kinds": [7375], "authors": [me.public_key()]});
    let once = relays.page(relay.url(), &filter, WAIT).await;
    assert_eq!(
        (once.events.len(), once.end),
        (7, End::Whole),
        "one page is what the relay likes to show"
    );
    let known = ids[40].clone();
    let listing = relays.all(relay.url(), &filter, |id| id == known, WAIT).await;
    assert_eq!(
        (listing.events.len(), listing.ids.len(), listing.skipped, listing.end),
        (59, 60, 0, End::Whole)
    );
    assert!(ids.iter().all(|id| listing.ids.contains(id)));
    assert!(listing.events.iter().all(|event| event.id() != known));
    assert_eq!(relay.connections(), 1);
    let nothing = relays.all(relay.url(), &json!({"kinds": [1]}), |_| false, WAIT).await;
    assert_eq!((nothing.ids.len(), nothing.end), (0, End::Whole));
}

#[tokio::test]
async fn a_second_that_the_relay_cannot_show_whole_is_not_whole() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    for n in 0..9 {
        put(&relays, &relay, &event(&me, 7375, if n == 0 { 1_000 } else { 2_000 }, &n.to_string()))
            .await;
    }
    let filter = json!({"authors": [me.public_key()]});
    relay.rule(|rule| rule.show_at_most = Some(5));
    let listing = relays.all(relay.url(), &filter, |_| false, WAIT).await;
    assert_eq!(listing.ids.len(), 6, "the second's first five, and what is older");
    assert!(matches!(listing.end, End::Cut(_)), "{:?}", listing.end);
    relay.rule(|rule| rule.show_at_most = None);
    let listing = relays.all(relay.url(), &filter, |_| false, WAIT).await;
    assert_eq!((listing.ids.len(), listing.end), (9, End::Whole));
}

#[tokio::test]
async fn what_a_relay_says_to_an_event_is_told_apart() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    let first = event(&me, 1, 1_000, "one");
    assert_eq!(put(&relays, &relay, &first).await, Ack::Stored);
    assert_eq!(put(&relays, &relay, &first).await, Ack::Stored, "a duplicate is there");
    let cases = [
        ("blocked: no", true, false),
        ("rate-limited: slow down", false, false),
        ("invalid: event too large", true, true),
    ];
    for (words, lasting, too_large) in cases {
        relay.rule(|rule| rule.refuse_with = Some(words.to_owned()));
        assert_eq!(
            put(&relays, &relay, &first).await,
            Ack::Refused { reason: words.to_owned(), lasting, too_large }
        );
    }
    let words = "invalid: 280 characters should be enough for anybody";
    relay.rule(|rule| (rule.refuse_with, rule.refuse_nameless) = (Some(words.to_owned()), true));
    let refused = Ack::Refused { reason: words.to_owned(), lasting: true, too_large: true };
    assert_eq!(put(&relays, &relay, &first).await, refused, "as the relay from PyPI says it");
    relay.rule(|rule| {
        (rule.refuse_with, rule.refuse_nameless) = (None, false);
        rule.refuse_longer_than = Some(2_000);
        rule.refuse_kind = Some(5);
    });
    let long = event(&me, 1, 1_000, &"x".repeat(2_000));
    assert!(matches!(put(&relays, &relay, &long).await, Ack::Refused { too_large: true, .. }));
    assert!(matches!(
        put(&relays, &relay, &event(&me, 5, 1_000, "")).await,
        Ack::Refused { lasting: true, too_large: false, .. }
    ));
    relay.rule(|rule| rule.mute = true);
    let began = Instant::now();
    let lost = event(&me, 1, 1_001, "mute");
    assert!(matches!(
        relays.publish(relay.url(), lost.json(), lost.id(), SHORT).await,
        Ack::NoAnswer(_)
    ));
    assert!(began.elapsed() < 3 * SHORT);
    assert!(
        relay.taken().iter().any(|event| event["id"] == lost.id()),
        "no answer, and it is there"
    );
    assert!(
        matches!(relays.page(relay.url(), &json!({}), SHORT).await, page if matches!(page.end, End::Cut(_)) && page.events.len() == 2)
    );
    relay.go_down().await.unwrap();
    assert!(matches!(put(&relays, &relay, &first).await, Ack::NoAnswer(_)));
    assert!(matches!(relays.page(relay.url(), &json!({}), WAIT).await.end, End::Unreachable(_)));
    relay.come_up().await.unwrap();
    relay.rule(|rule| *rule = testbed::Misrule::default());
    assert_eq!(put(&relays, &relay, &first).await, Ack::Stored);
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    assert_eq!(put(&relays, &relay, &event(&me, 1, 1_000, "one")).await, Ack::Stored);
    relay.cut();
    assert_eq!(put(&relays, &relay, &event(&me, 1, 1_001, "two")).await, Ack::Stored);
    relay.cut();
    let listing = relays.all(relay.url(), &json!({"kinds": [1]}), |_| false, WAIT).await;
    assert_eq!((listing.ids.len(), listing.end), (2, End::Whole));
    assert_eq!(relay.connections(), 3);
    relay.rule(|rule| rule.mute = true);
    let filter = json!({"kinds": [1]});
    assert!(
        tokio::time::timeout(SHORT / 10, relays.page(relay.url(), &filter, WAIT)).await.is_err(),
        "dropped in the middle"
    );
    relay.rule(|rule| rule.mute = false);
    let page = relays.page(relay.url(), &filter, WAIT).await;
    assert_eq!((page.events.len(), page.end, relay.connections()), (2, End::Whole, 4));
}

#[tokio::test]
async fn only_an_identity_is_told_and_only_when_the_relay_insists() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(Some(&me)).await;
    let nobody = Relays::new(web(&relay), None, clock::now);
    assert_eq!(put(&relays, &relay, &event(&me, 1, 1_000, "unasked")).await, Ack::Stored);
    assert!(relay.named().is_empty());
    relay.rule(|rule| rule.demand_name = true);
    assert!(matches!(
        put(&nobody, &relay, &event(&me, 1, 1_001, "x")).await,
        Ack::Refused { lasting: true, .. }
    ));
    assert!(matches!(nobody.page(relay.url(), &json!({}), WAIT).await.end, End::Cut(_)));
    assert_eq!(relay.frames_of("AUTH"), 0);
    let page = relays.page(relay.url(), &json!({"kinds": [1]}), WAIT).await;
    assert_eq!((page.events.len(), page.end), (1, End::Whole));
    assert_eq!(put(&relays, &relay, &event(&me, 1, 1_002, "asked")).await, Ack::Stored);
    assert_eq!(relay.named(), [me.public_key()], "once for the connection");
    let (listening, mut heard) = relays.listen(relay.url().to_owned(), json!({"kinds": [9321]}));
    let listening = tokio::spawn(listening);
    assert!(matches!(heard.recv().await, Some(ListenerEvent::Connected)));
    drop(heard);
    listening.await.unwrap();
    relay.rule(|rule| rule.never_satisfied = true);
    for _ in 0..5 {
        assert!(matches!(
            put(&relays, &relay, &event(&me, 1, 1_003, "never")).await,
            Ack::Refused { .. }
        ));
        assert!(matches!(relays.page(relay.url(), &json!({}), WAIT).await.end, End::Cut(_)));
    }
    assert!(relay.frames_of("AUTH") < 20, "{}", relay.frames_of("AUTH"));
}

#[tokio::test]
async fn what_is_forged_or_was_not_asked_for_is_passed_over() {
    let (me, stranger) = (Identity::random().unwrap(), Identity::random().unwrap());
    let (relay, relays) = world(None).await;
    let good = event(&me, 7375, 1_000, "good");
    put(&relays, &relay, &good).await;
    let forged = good.json().replace("good", "evil");
    let other = event(&me, 7375, 1_001, "other");
    let signature = serde_json::from_str::<serde_json::Value>(good.json()).unwrap()["sig"].clone();
    let mut unsigned: serde_json::Value = serde_json::from_str(other.json()).unwrap();
    unsigned["sig"] = signature;
    let foreign = event(&stranger, 7375, 1_002, "foreign");
    let inject = vec![
        forged,
        unsigned.to_string(),
        foreign.json().to_owned(),
        "7".to_owned(),
        "{}".to_owned(),
    ];
    relay.rule(|rule| rule.inject = inject);
    let filter = json!({"kinds": [7375], "authors": [me.public_key()]});
    let page = relays.page(relay.url(), &filter, WAIT).await;
    assert_eq!((page.events, page.skipped, page.end), (vec![good.clone()], 5, End::Whole));
    relay.rule(|rule| drop(rule.inject.remove(0)));
    let listing = relays.all(relay.url(), &filter, |_| false, WAIT).await;
    assert_eq!((listing.events, listing.end), (vec![good], End::Whole));
}

#[tokio::test]
async fn a_relay_that_never_stops_is_stopped() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    for flood in [Flood::LargeEvents, Flood::OtherSubscription, Flood::Pings, Flood::Drip] {
        relay.rule(|rule| rule.flood = Some(flood));
        let began = Instant::now();
        let page = relays.page(relay.url(), &json!({"kinds": [1]}), SHORT).await;
        assert!(matches!(page.end, End::Cut(_)), "{flood:?}: {:?}", page.end);
        assert!(
            page.events.is_empty() && began.elapsed() < 3 * SHORT,
            "{flood:?}: {:?}",
            began.elapsed()
        );
    }
    relay.rule(|rule| {
        rule.flood = None;
        rule.delay = Duration::from_millis(200);
    });
    assert_eq!(put(&relays, &relay, &event(&me, 1, 1_000, "slow")).await, Ack::Stored);
}

#[tokio::test]
async fn a_relay_that_asks_who_reads_and_insists_on_nothing_is_told_where_it_is_the_owners_own() {
    let me = Identity::random().unwrap();
    let (relay, nobody) = world(None).await;
    assert_eq!(put(&nobody, &relay, &event(&me, 17_375, 1_000, "mine")).await, Ack::Stored);
    relay.rule(|rule| rule.veil = Some(Veil::Confirms));
    let filter = json!({"kinds": [17_375], "authors": [me.public_key()]});
    let named = || Relays::new(web(&relay), Some(me.clone()), clock::now);
    let elsewhere = ["wss://relay.example".to_owned()];
    let own = [format!("{}/", relay.url())];
    let nobody_at_home = Relays::new(web(&relay), None, clock::now).of_owner(&own);
    for (relays, who) in [
        (nobody_at_home, "nobody"),
        (named(), "at a stranger's"),
        (named().of_owner(&elsewhere), "at another"),
    ] {
        let listing = relays.all(relay.url(), &filter, |_| false, WAIT).await;
        assert_eq!(
            (listing.ids.len(), listing.end, relay.frames_of("AUTH")),
            (0, End::Whole, 0),
            "{who}"
        );
    }
    let (relays, before) = (named().of_owner(&own), relay.connections());
    for _ in 0..2 {
        let listing = relays.all(relay.url(), &filter, |_| false, WAIT).await;
        assert_eq!((listing.ids.len(), listing.skipped, listing.end), (1, 0, End::Whole));
    }
    assert_eq!(
        (relay.named(), relay.connections() - before),
        (vec![me.public_key()], 1),
        "once for a connection"
    );
}

#[tokio::test]
async fn a_listener_hears_of_every_gap() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    let (listening, mut heard) = relays
        .listen(relay.url().to_owned(), json!({"kinds": [9321], "authors": [me.public_key()]}));
    let task = tokio::spawn(listening);
    assert!(matches!(heard.recv().await, Some(ListenerEvent::Connected)));
    let first = event(&me, 9321, 1_000, "one");
    put(&relays, &relay, &event(&me, 1, 1_000, "not asked for")).await;
    put(&relays, &relay, &first).await;
    assert!(matches!(heard.recv().await, Some(ListenerEvent::Event(event)) if event == first));
    relay.go_down().await.unwrap();
    relay.come_up().await.unwrap();
    assert!(
        matches!(heard.recv().await, Some(ListenerEvent::Connected)),
        "what was heard before is not said again"
    );
    let second = event(&me, 9321, 1_001, "two");
    put(&relays, &relay, &second).await;
    assert!(matches!(heard.recv().await, Some(ListenerEvent::Event(event)) if event == second));
    drop(heard);
    tokio::time::timeout(WAIT, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_bench_loses_and_revives_as_it_is_told() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    let token = event(&me, 7375, 1_000, "a canary");
    put(&relays, &relay, &token).await;
    let tags =
        vec![vec!["e".to_owned(), token.id().to_owned()], vec!["k".to_owned(), "7375".to_owned()]];
    let deletion = me
        .sign(UnsignedEvent { kind: 5, created_at: 1_001, tags, content: String::new() })
        .unwrap();
    assert_eq!(put(&relays, &relay, &deletion).await, Ack::Stored);
    let filter = json!({"kinds": [7375]});
    assert!(relays.page(relay.url(), &filter, WAIT).await.events.is_empty());
    relay.rule(|rule| rule.resurrect = true);
    assert_eq!(relays.page(relay.url(), &filter, WAIT).await.events, [token]);
    relay.rule(|rule| rule.lose_every = Some(1));
    let lost = event(&me, 7375, 1_002, "lost");
    assert_eq!(put(&relays, &relay, &lost).await, Ack::Stored);
    assert!(
        relays.page(relay.url(), &filter, WAIT).await.events.iter().all(|event| event != &lost)
    );
    assert!(
        relay.heard().windows(8).any(|bytes| bytes == b"a canary"),
        "all that was sent is written down"
    );
    assert_eq!((relay.frames_of("EVENT"), relay.taken().len()), (3, 2));
}

#[tokio::test]
async fn a_relay_that_passes_over_the_end_of_a_page_is_not_read_whole() {
    let me = Identity::random().unwrap();
    let (relay, relays) = world(None).await;
    let stuck: Vec<Event> =
        (0..3).map(|n| event(&me, 7375, 1_000 + n, "again and again")).collect();
    relay.rule(|rule| rule.inject = stuck.iter().map(|event| event.json().to_owned()).collect());
    let listing = relays.all(relay.url(), &json!({"kinds": [7375]}), |_| false, WAIT).await;
    assert_eq!(listing.events, stuck);
    assert!(matches!(listing.end, End::Cut(_)), "{:?}", listing.end);
}

#[tokio::test]
async fn every_exchange_can_run_on_a_task() {
    let (relay, relays) = world(None).await;
    let (relays, url, filter) = (Arc::new(relays), relay.url().to_owned(), json!({"kinds": [1]}));
    let asked = tokio::spawn({
        let (relays, url, filter) = (relays.clone(), url.clone(), filter.clone());
        async move {
            (
                relays.page(&url, &filter, WAIT).await.end,
                relays.all(&url, &filter, |_| false, WAIT).await.end,
            )
        }
    });
    let me = Identity::random().unwrap();
    let put = tokio::spawn(async move {
        let event = event(&me, 1, 1_000, "x");
        relays.publish(&url, event.json(), event.id(), WAIT).await
    });
    assert_eq!(asked.await.unwrap(), (End::Whole, End::Whole));
    assert_eq!(put.await.unwrap(), Ack::Stored);
    assert_eq!(relay.connections(), 1, "they took turns");
}
