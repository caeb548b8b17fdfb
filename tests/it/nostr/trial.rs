//! A relay is tried before a person adds it: what it will not do is said in words.

use std::sync::Arc;

use nutpurse::testing::api::relay_trial::sentence;
use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::ports::Http;
use nutpurse::testing::wallet::core::clock;
use nutpurse::testing::wallet::doctor::trial::try_relay;
use testbed::{Misrule, Relay};

use crate::confirm::{answer, policy_entries};
use crate::world::{Home, Settings, binary};

type Rule = fn(&mut Misrule);

const GENEROUS: &str = r#"{"supported_nips": [1, 9, 11, 77]}"#;

async fn tried(relay: &Relay) -> Vec<String> {
    let allow = vec![relay.url().replace("ws://", "http://")];
    let web: Arc<dyn Http> = Arc::new(Web::new(&NetworkSettings { allow, proxy: None }).unwrap());
    let remarks = try_relay(&web, relay.url(), clock::now).await;
    let remarks: Vec<String> = remarks.iter().map(sentence).collect();
    println!("{remarks:?}");
    remarks
}

/// A relay that says only good of itself, and behaves like this.
async fn relay(rule: impl FnOnce(&mut Misrule)) -> Relay {
    let relay = Relay::start().await.unwrap();
    relay.rule(|rules| rules.document = Some(GENEROUS.to_owned()));
    relay.rule(rule);
    relay
}

/// The one thing that is said of a relay that behaves like this.
async fn said(rule: impl FnOnce(&mut Misrule)) -> String {
    let remarks = tried(&relay(rule).await).await;
    let [one] = remarks.as_slice() else { panic!("{remarks:?}") };
    one.clone()
}

#[tokio::test]
async fn a_relay_that_does_all_is_told_nothing_of_the_wallet_and_keeps_nothing_of_the_trial() {
    let relay = relay(|_| {}).await;
    assert_eq!(tried(&relay).await, Vec::<String>::new());
    let kinds: Vec<_> = relay.taken().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, [7375, 5], "one event, and its deletion");
    assert_eq!(
        (relay.frames_of("EVENT"), relay.frames_of("REQ"), relay.frames_of("AUTH")),
        (2, 4, 0)
    );
    assert_eq!(
        (relay.connections(), relay.named().len()),
        (2, 0),
        "one for the document, one for the trial"
    );
}

#[tokio::test]
async fn what_a_relay_does_not_do_is_found_by_doing_it() {
    let rows: [(&str, Rule); 8] = [
        ("requires authentication", |rules| rules.demand_name = true),
        ("rejects what this wallet writes: blocked: members only", |rules| {
            rules.refuse_with = Some("blocked: members only".to_owned())
        }),
        ("does not show it", |rules| rules.forget = true),
        ("still shows deleted events", |rules| rules.resurrect = true),
        ("keeps no deletions", |rules| rules.hide_kinds = vec![5]),
        ("rejects deletions (blocked", |rules| rules.refuse_kind = Some(5)),
        ("rejects what this wallet writes", |rules| rules.never_satisfied = true),
        ("does not describe itself", |rules| rules.document = None),
    ];
    for (words, rule) in rows {
        let said = said(rule).await;
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn a_relay_that_does_not_answer_and_one_that_is_away_are_told_apart() {
    assert!(said(|rules| rules.mute = true).await.contains("does not answer"));
    let away = relay(|_| {}).await;
    away.go_down().await.unwrap();
    let remarks = tried(&away).await;
    assert!(remarks[0].starts_with("It could not be reached"), "{remarks:?}");
}

#[tokio::test]
async fn a_person_is_told_what_the_relay_will_not_do_and_adds_it_all_the_same() {
    let relay = relay(|rules| {
        rules.hide_kinds = vec![5];
        rules.document =
            Some(r#"{"limitation": {"max_message_length": 4096}, "retention": [{"kinds": [7375], "time": 86400}]}"#.to_owned());
    })
    .await;
    let away = Relay::start().await.unwrap();
    away.go_down().await.unwrap();
    let urls = [relay.url().to_owned(), away.url().to_owned()];
    let shown = tokio::task::spawn_blocking(move || {
        let home =
            Home::new(&Settings::at(["https://test.example"]).allow([&urls[0], &urls[1]])).unwrap();
        let (shown, done) = answer(&home, &["relays", "add", &urls[0]], |_| "no".to_owned());
        assert!(!done && shown.contains("keeps no deletions"), "{shown}");
        assert!(
            binary::done(&home, &["relays", "list"]).contains("No relays"),
            "an answer that is not the word adds nothing"
        );
        let (shown, done) = answer(&home, &["relays", "add", &urls[0]], str::to_owned);
        for words in [
            "network address",
            "keeps no deletions",
            "4096 bytes at most",
            "kind 7375 (coins) for 1 days",
            "NIP-77",
        ] {
            assert!(done && shown.contains(words), "{words}: {shown}");
        }
        let (shown, done) = answer(&home, &["relays", "add", &urls[1]], str::to_owned);
        assert!(done && shown.contains("could not be reached"), "{shown}");
        assert_eq!(policy_entries(&home).len(), 2, "each is one entry of the history");
        let listed = binary::done(&home, &["relays", "list", "--check"]);
        assert!(listed.contains(&urls[1]), "{listed}");
        listed
    })
    .await
    .unwrap();
    for words in ["keeps no deletions", "could not be reached"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}
