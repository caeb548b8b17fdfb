//! Comparing with relays that can, that cannot, and that break off.

use std::collections::BTreeMap;

use nutpurse::testing::nostr::Event;
use nutpurse::testing::nostr::relays::{Ack, Difference, End, NotCompared};
use serde_json::{Value, json};
use testbed::Relay;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{Do, SHORT, Script, WAIT, me, relays, shown, some};

fn sorted(mut difference: Difference) -> Difference {
    difference.ours.sort();
    difference.theirs.sort();
    difference
}

#[tokio::test]
async fn a_relay_that_can_compare_tells_what_either_side_lacks() {
    let me = me();
    let relay = Relay::start().await.unwrap();
    let relays = relays(relay.url(), None);
    let events = some(&me, 300);
    for event in &events[..200] {
        assert_eq!(relays.publish(relay.url(), event.json(), event.id(), WAIT).await, Ack::Stored);
    }
    let filter = json!({"kinds": [7375], "authors": [me.public_key()]});
    let have = |events: &[Event]| {
        events.iter().map(|event| (event.id().to_owned(), event.created_at())).collect::<Vec<_>>()
    };
    let without = |events: &[Event], others: &[Event]| -> Vec<String> {
        events
            .iter()
            .filter(|event| !others.contains(event))
            .map(|event| event.id().to_owned())
            .collect()
    };
    let requests = relay.frames_of("REQ");
    for ours in [&events[..200], &events[50..], &events[200..], &[]] {
        let found = relays.reconcile(relay.url(), &filter, have(ours), WAIT).await.unwrap();
        let expected = Difference {
            theirs: without(&events[..200], ours),
            ours: without(ours, &events[..200]),
        };
        assert_eq!(sorted(found), sorted(expected), "{} of ours", ours.len());
    }
    assert_eq!((relay.frames_of("REQ"), relay.connections()), (requests, 1));
    let page = relays.page(relay.url(), &filter, WAIT).await;
    assert_eq!(
        (page.events.len(), relay.connections()),
        (200, 1),
        "the connection is as good as before"
    );
    relay.go_down().await.unwrap();
    assert!(matches!(
        relays.reconcile(relay.url(), &filter, vec![], WAIT).await,
        Err(NotCompared::Unreachable(_))
    ));
}

#[tokio::test]
async fn a_relay_that_cannot_compare_is_told_from_one_that_breaks_off() {
    let (me, filter) = (me(), json!({"kinds": [5]}));
    type Answer = fn(&Value) -> Vec<Do>;
    let cases: [Answer; 6] = [
        |_| vec![Do::Say(json!(["NOTICE", "unknown message type NEG-OPEN"]))],
        |of| vec![Do::Say(json!(["CLOSED", of, "unsupported: what?"]))],
        |of| vec![Do::Say(json!(["NEG-ERR", of, "blocked: too big"]))],
        |_| vec![],
        |_| vec![Do::Drop],
        |_| vec![Do::Close(CloseCode::Normal)],
    ];
    for (number, answer) in cases.into_iter().enumerate() {
        let relay =
            Script::start(
                vec![],
                move |label, message| {
                    if label == "NEG-OPEN" { answer(&message[1]) } else { vec![] }
                },
            )
            .await;
        let begun = std::time::Instant::now();
        let found = relays(&relay.url, None).reconcile(&relay.url, &filter, vec![], SHORT).await;
        println!("{number}: {found:?}");
        assert!(matches!(found, Err(NotCompared::Unsupported(_))), "{number}: {found:?}");
        assert!(begun.elapsed() < 3 * SHORT);
    }
    // One that begins, and is silent or gone: its first step says that it has something else, and
    // we ask on.
    let something_else = format!("61000001{}", "07".repeat(16));
    let have: Vec<(String, u64)> =
        some(&me, 100).iter().map(|event| (event.id().to_owned(), event.created_at())).collect();
    for ends in [false, true] {
        let step = something_else.clone();
        let relay = Script::start(vec![], move |label, message| match label {
            "NEG-OPEN" => vec![Do::Say(json!(["NEG-MSG", message[1], step]))],
            "NEG-MSG" if ends => vec![Do::Drop],
            _ => vec![],
        })
        .await;
        let found =
            relays(&relay.url, None).reconcile(&relay.url, &filter, have.clone(), SHORT).await;
        assert!(matches!(found, Err(NotCompared::Cut(_))), "{found:?}");
        assert_eq!(relay.count("NEG-MSG"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_answers_more_than_it_was_asked_is_not_taken_for_one_that_is_done() {
    let step = format!("61000001{}", "07".repeat(16));
    let relay = Script::start(vec![], move |label, message| match label {
        "NEG-OPEN" => (0..20_000).map(|_| Do::Say(json!(["NEG-MSG", message[1], step]))).collect(),
        _ => vec![],
    })
    .await;
    let have: Vec<(String, u64)> = some(&me(), 2_000)
        .iter()
        .map(|event| (event.id().to_owned(), event.created_at()))
        .collect();
    let found = relays(&relay.url, None)
        .reconcile(&relay.url, &json!({"kinds": [5]}), have, WAIT / 5)
        .await;
    assert!(
        matches!(found, Err(NotCompared::Cut(_))),
        "{:?}",
        found.map(|found| (found.theirs.len(), found.ours.len()))
    );
}

#[tokio::test]
async fn a_comparison_says_who_we_are_only_when_it_is_asked() {
    let me = me();
    let relay = Script::start(vec![], |label, message| match label {
        "NEG-OPEN" => vec![
            Do::Say(json!(["AUTH", "c"])),
            Do::Say(json!(["NEG-ERR", message[1], "auth-required: who?"])),
        ],
        "AUTH" => vec![Do::Say(json!(["OK", message[1]["id"], true, ""]))],
        _ => vec![],
    })
    .await;
    for (identity, told) in [(None, 0), (Some(&me), 1)] {
        let found = relays(&relay.url, identity)
            .reconcile(&relay.url, &json!({"kinds": [5]}), vec![], SHORT)
            .await;
        assert!(matches!(found, Err(NotCompared::Unsupported(_))), "{found:?}");
        assert_eq!(relay.count("AUTH"), told);
    }
}

fn times(events: &[Event]) -> BTreeMap<String, u64> {
    events.iter().map(|event| (event.id().to_owned(), event.created_at())).collect()
}

#[tokio::test]
async fn what_both_sides_have_is_not_read_again() {
    let me = me();
    let relay = Relay::start().await.unwrap();
    let relays = relays(relay.url(), None);
    let events = some(&me, 1_300);
    for event in &events[100..] {
        assert_eq!(relays.publish(relay.url(), event.json(), event.id(), WAIT).await, Ack::Stored);
    }
    let filter = json!({"kinds": [7375], "authors": [me.public_key()]});
    let there = times(&events[100..]).into_keys().collect::<Vec<_>>();
    // What is known, which of it is not there, how many requests that takes, and how many at a
    // relay that shows a hundred at once.
    for (at_once, known, requests) in
        [(None, &events[..700], 3), (None, &events[..], 0), (Some(100), &events[..900], 8)]
    {
        relay.rule(|rule| rule.show_at_most = at_once);
        let (before, said) = (relay.frames_of("REQ"), relay.bytes().1);
        let mut listing = relays.read_new(relay.url(), &filter, &times(known), WAIT).await;
        listing.ids.sort();
        let new: BTreeMap<String, u64> = times(&listing.events);
        let lacking =
            times(&events).into_iter().filter(|(id, _)| !times(known).contains_key(id)).collect();
        assert_eq!(
            (listing.end, listing.ids == there, new == lacking),
            (End::Whole, true, true),
            "{} known",
            known.len()
        );
        let used = relay.frames_of("REQ") - before;
        println!(
            "{} known, {} new: {used} requests, {} bytes",
            known.len(),
            listing.events.len(),
            relay.bytes().1 - said
        );
        assert!(used <= requests, "{used} requests");
    }
}

#[tokio::test]
async fn a_relay_that_cannot_compare_is_asked_to_once_and_read_page_by_page() {
    let me = me();
    let events = some(&me, 600);
    let pages = shown(events.clone(), |of| Do::Say(json!(["EOSE", of, ["finish"]])));
    let relay = Script::start(vec![], move |label, message| match label {
        "NEG-OPEN" => vec![Do::Say(json!(["NOTICE", "unknown message"]))],
        _ => pages(label, message),
    })
    .await;
    let relays = relays(&relay.url, None);
    for times_read in 1..=2 {
        let filter = json!({"authors": [me.public_key()]});
        let listing = relays.read_new(&relay.url, &filter, &times(&events[..599]), WAIT).await;
        assert_eq!((listing.end, listing.events.len(), listing.ids.len()), (End::Whole, 1, 600));
        assert_eq!((relay.count("NEG-OPEN"), relay.count("REQ")), (1, times_read));
    }
}
